// What every Store must do, over SQLite and over memory.
#include "manager/store/store.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "manager/store/retention.h"
#include "manager/store/sqlite/archive.h"
#include "manager/store/sqlite/sqlite_store.h"
#include "store_place.h"

namespace hostq::manager {
namespace {

class StoreTest : public testing::TestWithParam<PlaceFactory> {
 protected:
  StoreTest() : place_(GetParam()()) { Reopen(); }

  void Reopen() {
    store_.reset();
    absl::StatusOr<std::unique_ptr<Store>> store = place_->Open();
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  static Command MakeCommand(CommandId id, const std::string& request_id = "") {
    Command command;
    command.id = id;
    command.kind = "create_account";
    command.resource_key = "account/x.example";
    command.actor = "root";
    command.request_id = request_id;
    command.request = std::string("re\0quest", 8);
    command.spec = std::string("\xff\0spec", 6);
    command.work = "work";
    command.create_time = absl::FromUnixMicros(1'800'000'000'000'123);
    command.timeout = absl::Minutes(7);
    for (const char* node : {"storage1", "web1"}) {
      Task& task = command.tasks.emplace_back();
      task.node = node;
      task.stage = node[0] == 'w';
      task.phase_time = command.create_time;
    }
    return command;
  }

  absl::Status Commit(std::vector<Mutation> mutations) { return store_->Commit(mutations); }

  std::unique_ptr<Place> place_;
  std::unique_ptr<Store> store_;
};

TEST_P(StoreTest, EmptyAtFirst) {
  const absl::StatusOr<Snapshot> snapshot = store_->Load();
  ASSERT_TRUE(snapshot.ok());
  EXPECT_EQ(snapshot->term, 0u);
  EXPECT_EQ(snapshot->last_sequence, 0);
  EXPECT_TRUE(snapshot->live.empty());
  EXPECT_EQ(ReasonOf(store_->GetCommand(1).status()), Reason::kUnknownCommand);
}

TEST_P(StoreTest, CommandReadsBackAsItWasWritten) {
  Command command = MakeCommand(17, "request-1");
  command.not_after = absl::FromUnixSeconds(1'900'000'000);
  command.needs_ready = false;
  command.supersedes = {"mount_share", "unmount_share"};
  command.not_before = absl::FromUnixSeconds(1'800'000'000);
  command.priority = -3;
  command.max_parallel = 2;
  command.max_failures = 0;
  command.part_of = 3;
  command.part_stage = 2;
  command.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  command.retry = {{absl::Milliseconds(1500), absl::Minutes(2), 1.5, 0},
                   3,
                   absl::Hours(1),
                   {Reason::kQuotaMismatch, Reason::kInternal}};
  command.tasks[0].budget_time = absl::FromUnixSeconds(1'700'000'001);
  command.tasks[0].loss_time = absl::FromUnixSeconds(1'700'000'002);
  command.tasks[1].cancel_time = absl::FromUnixSeconds(1'700'000'003);
  command.tasks[1].cancel_actor = "root";
  command.tasks[1].trouble_time = absl::FromUnixSeconds(1'700'000'004);
  command.tasks[0].evidence = {{"mac", "02:00"}, {"empty", ""}};
  command.tasks[0].message = "it's \"quoted\"";
  ASSERT_TRUE(Commit({InsertCommand{command}}).ok());
  Reopen();
  const Command read = *store_->GetCommand(17);
  EXPECT_EQ(read.kind, command.kind);
  EXPECT_EQ(read.resource_key, command.resource_key);
  EXPECT_EQ(read.request_id, "request-1");
  EXPECT_EQ(read.request, command.request);
  EXPECT_EQ(read.spec, command.spec);
  EXPECT_EQ(read.create_time, command.create_time);
  EXPECT_EQ(read.not_after, command.not_after);
  EXPECT_EQ(read.timeout, command.timeout);
  EXPECT_FALSE(read.needs_ready);
  EXPECT_EQ(read.supersedes, command.supersedes);
  EXPECT_EQ(read.not_before, command.not_before);
  EXPECT_EQ(read.priority, -3);
  EXPECT_EQ(read.part_of, 3);
  EXPECT_EQ(read.part_stage, 2);
  EXPECT_EQ(read.traceparent, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  EXPECT_EQ(read.max_parallel, 2);
  EXPECT_EQ(read.max_failures, 0);
  EXPECT_EQ(read.retry, command.retry);
  EXPECT_EQ(read.tasks[0].budget_time, command.tasks[0].budget_time);
  EXPECT_EQ(read.tasks[0].loss_time, command.tasks[0].loss_time);
  EXPECT_EQ(read.tasks[0].cancel_time, absl::InfiniteFuture());
  EXPECT_EQ(read.tasks[1].budget_time, absl::InfinitePast());
  EXPECT_EQ(read.tasks[1].cancel_time, command.tasks[1].cancel_time);
  EXPECT_EQ(read.tasks[1].cancel_actor, "root");
  EXPECT_EQ(read.tasks[0].trouble_time, absl::InfinitePast());
  EXPECT_EQ(read.tasks[1].trouble_time, command.tasks[1].trouble_time);
  EXPECT_EQ(read.finish_time, absl::InfiniteFuture());
  ASSERT_EQ(read.tasks.size(), 2u);
  EXPECT_EQ(read.tasks[0].node, "storage1");
  EXPECT_EQ(read.tasks[0].evidence, command.tasks[0].evidence);
  EXPECT_EQ(read.tasks[0].message, command.tasks[0].message);
  EXPECT_EQ(read.tasks[1].stage, 1);
}

TEST_P(StoreTest, GuardedUpdateNeedsPhaseAttemptAndEpoch) {
  const Command command = MakeCommand(1);
  ASSERT_TRUE(Commit({InsertCommand{command}}).ok());
  Task leased = command.tasks[1];
  leased.phase = Phase::kLeased;
  leased.attempt = 1;
  leased.epoch = (uint64_t{1} << 63) + 5;
  ASSERT_TRUE(Commit({UpdateTask{1, Phase::kQueued, 0, 0, leased}}).ok());
  EXPECT_EQ(store_->GetCommand(1)->FindTask("web1")->epoch, leased.epoch);
  for (const UpdateTask& stale : {UpdateTask{1, Phase::kQueued, 1, leased.epoch, leased},
                                  UpdateTask{1, Phase::kLeased, 0, leased.epoch, leased},
                                  UpdateTask{1, Phase::kLeased, 1, leased.epoch - 1, leased},
                                  UpdateTask{2, Phase::kLeased, 1, leased.epoch, leased}}) {
    EXPECT_EQ(Commit({stale}).code(), absl::StatusCode::kAborted);
  }
}

TEST_P(StoreTest, BatchIsAllOrNothing) {
  ASSERT_TRUE(Commit({InsertCommand{MakeCommand(1)}}).ok());
  Event event;
  event.sequence = 1;
  Task task;
  task.node = "web1";
  EXPECT_FALSE(Commit({InsertCommand{MakeCommand(2)}, ResourceChange{"account", "x", "row"}, event,
                       UpdateTask{1, Phase::kParked, 0, 0, task}})
                   .ok());
  EXPECT_FALSE(store_->GetCommand(2).ok());
  const Snapshot snapshot = *store_->Load();
  EXPECT_TRUE(snapshot.resources.empty());
  EXPECT_EQ(snapshot.last_sequence, 0);
}

TEST_P(StoreTest, FinishedCommandsLeaveTheLiveSetAndStayReadable) {
  Command command = MakeCommand(1, "r1");
  ASSERT_TRUE(Commit({InsertCommand{command}, InsertCommand{MakeCommand(2)}}).ok());
  std::vector<Mutation> mutations;
  for (Task task : command.tasks) {
    task.phase = Phase::kFinished;
    task.outcome = Outcome::kSucceeded;
    mutations.push_back(UpdateTask{1, Phase::kQueued, 0, 0, task});
  }
  mutations.push_back(
      FinishCommand{1, CommandState::kSucceeded, absl::FromUnixSeconds(1'800'000'100)});
  ASSERT_TRUE(Commit(mutations).ok());
  Reopen();
  const Snapshot snapshot = *store_->Load();
  ASSERT_EQ(snapshot.live.size(), 1u);
  EXPECT_EQ(snapshot.live[0].id, 2);
  EXPECT_EQ(snapshot.live[0].tasks.size(), 2u);
  EXPECT_EQ(snapshot.last_command, 2);
  EXPECT_EQ(store_->GetCommand(1)->state, CommandState::kSucceeded);
  EXPECT_EQ((*store_->FindRequest("r1"))->id, 1);
  EXPECT_FALSE(store_->FindRequest("r2")->has_value());
  EXPECT_FALSE(Commit({FinishCommand{1, CommandState::kFailed, absl::FromUnixSeconds(1)}}).ok())
      << "terminal is terminal";
}

TEST_P(StoreTest, RequestIdIsUnique) {
  ASSERT_TRUE(Commit({InsertCommand{MakeCommand(1, "same")}}).ok());
  EXPECT_FALSE(Commit({InsertCommand{MakeCommand(2, "same")}}).ok());
}

TEST_P(StoreTest, ListsNewestFirstByPage) {
  for (int id = 1; id <= 5; ++id) {
    Command command = MakeCommand(id);
    command.resource_key = id % 2 ? "odd" : "even";
    ASSERT_TRUE(Commit({InsertCommand{command}}).ok());
  }
  const auto ids = [](const std::vector<Command>& commands) {
    std::vector<CommandId> out;
    for (const Command& command : commands) out.push_back(command.id);
    return out;
  };
  EXPECT_EQ(ids(*store_->ListCommands({.limit = 2})), (std::vector<CommandId>{5, 4}));
  EXPECT_EQ(ids(*store_->ListCommands({.before = 4, .limit = 2})), (std::vector<CommandId>{3, 2}));
  EXPECT_EQ(ids(*store_->ListCommands({.resource_key = "odd"})), (std::vector<CommandId>{5, 3, 1}));
  EXPECT_EQ(store_->ListCommands({.active_only = true})->size(), 5u);
}

TEST_P(StoreTest, ListsWhatMatches) {
  for (int id = 1; id <= 6; ++id) {
    Command command = MakeCommand(id);
    command.kind = id % 2 ? "odd" : "even";
    command.actor = id <= 3 ? "alice" : "bob";
    if (id == 6) command.tasks.resize(1);
    ASSERT_TRUE(Commit({InsertCommand{command}}).ok());
  }
  ASSERT_TRUE(Commit({FinishCommand{2, CommandState::kFailed, absl::FromUnixSeconds(1)}}).ok());
  const auto ids = [&](const CommandQuery& query) {
    std::vector<CommandId> out;
    const std::vector<Command> commands = *store_->ListCommands(query);
    for (const Command& command : commands) out.push_back(command.id);
    return out;
  };
  using Ids = std::vector<CommandId>;
  EXPECT_EQ(ids({.after = 2}), (Ids{6, 5, 4, 3}));
  EXPECT_EQ(ids({.before = 5, .after = 3}), (Ids{4}));
  EXPECT_EQ(ids({.kind = "even"}), (Ids{6, 4, 2}));
  EXPECT_EQ(ids({.kind = "even", .actor = "alice"}), (Ids{2}));
  EXPECT_EQ(ids({.state = CommandState::kFailed}), (Ids{2}));
  EXPECT_EQ(ids({.limit = 2, .kind = "odd"}), (Ids{5, 3}));
  const std::string second = MakeCommand(1).tasks.at(1).node;
  EXPECT_EQ(ids({.node = second}), (Ids{5, 4, 3, 2, 1}));
  EXPECT_EQ(ids({.node = "nowhere"}), Ids{});
  EXPECT_EQ(ids({.active_only = true, .resource_key = MakeCommand(1).resource_key, .kind = "even"}),
            (Ids{6, 4}));
  EXPECT_EQ(*store_->CommandBelow(INT64_MAX, 1), 6);
  EXPECT_EQ(*store_->CommandBelow(6, 2), 4);
  EXPECT_EQ(*store_->CommandBelow(6, 5), 1);
  EXPECT_EQ(*store_->CommandBelow(6, 6), 0);
}

TEST_P(StoreTest, RepairsAreListedByNode) {
  const auto made = [](int64_t sequence, EventType type, const std::string& node) {
    Event event;
    event.sequence = sequence;
    event.time = absl::FromUnixSeconds(sequence);
    event.type = type;
    event.node = node;
    event.message = absl::StrCat("address/203.0.113.", sequence, ": put back");
    return event;
  };
  ASSERT_TRUE(
      Commit({made(1, EventType::kNodeRepaired, "web1"), made(2, EventType::kNodeDrifted, "web1"),
              made(3, EventType::kNodeRepaired, "web2"), made(4, EventType::kNodeRepaired, "web1"),
              made(5, EventType::kNodeRepaired, "web1")})
          .ok());
  Reopen();
  const auto sequences = [&](const char* node, int64_t since, int limit) {
    std::vector<int64_t> out;
    const std::vector<Event> events =
        *store_->ListRepairs(node, absl::FromUnixSeconds(since), limit);
    for (const Event& each : events) out.push_back(each.sequence);
    return out;
  };
  EXPECT_EQ(sequences("web1", 0, 10), (std::vector<int64_t>{5, 4, 1}));
  EXPECT_EQ(sequences("web1", 4, 10), (std::vector<int64_t>{5, 4}));
  EXPECT_EQ(sequences("web1", 0, 1), (std::vector<int64_t>{5}));
  EXPECT_EQ(sequences("web3", 0, 10), std::vector<int64_t>());
}

TEST_P(StoreTest, PartsAreCountedAndListed) {
  for (const CommandId id : {1, 2, 3, 4, 5}) {
    Command command = MakeCommand(id);
    command.part_of = id == 2 || id == 3 || id == 5 ? 1 : 0;
    ASSERT_TRUE(Commit({InsertCommand{command}}).ok());
  }
  ASSERT_TRUE(Commit({FinishCommand{2, CommandState::kFailed, absl::FromUnixSeconds(1)},
                      FinishCommand{3, CommandState::kSucceeded, absl::FromUnixSeconds(1)}})
                  .ok());
  Reopen();
  const std::map<CommandState, int> wanted = {
      {CommandState::kActive, 1}, {CommandState::kSucceeded, 1}, {CommandState::kFailed, 1}};
  EXPECT_EQ(store_->GetCommand(1)->parts, wanted);
  EXPECT_TRUE(store_->GetCommand(4)->parts.empty());
  const Snapshot snapshot = *store_->Load();
  ASSERT_EQ(snapshot.live.size(), 3u);
  EXPECT_EQ(snapshot.live[0].parts, wanted);
  const auto ids = [&](CommandQuery query) {
    std::vector<CommandId> listed;
    const std::vector<Command> commands = *store_->ListCommands(query);
    for (const Command& command : commands) listed.push_back(command.id);
    return listed;
  };
  EXPECT_EQ(ids({.part_of = 1}), (std::vector<CommandId>{5, 3, 2}));
  EXPECT_EQ(ids({.active_only = true, .part_of = 1}), (std::vector<CommandId>{5}));
  EXPECT_EQ(ids({.before = 5, .limit = 1, .part_of = 1}), (std::vector<CommandId>{3}));
}

TEST_P(StoreTest, OrphansAreKeptUnlessTheAttemptIsKnown) {
  const Attempt attempt{
      1, 9, absl::FromUnixSeconds(1), absl::FromUnixSeconds(2), Reason::kNone, "", "steps"};
  ASSERT_TRUE(Commit({InsertCommand{MakeCommand(1)}, InsertAttempt{1, "web1", attempt}}).ok());
  const InsertOrphan repeated{{1, "web1", 1, 9}, absl::FromUnixSeconds(3), attempt};
  ASSERT_TRUE(Commit({repeated}).ok());
  Attempt other = attempt;
  other.epoch = 10;
  const InsertOrphan orphan{{1, "web1", 1, 10}, absl::FromUnixSeconds(3), other};
  ASSERT_TRUE(Commit({orphan, orphan}).ok());
  const auto attempts = *store_->ListAttempts(1);
  ASSERT_EQ(attempts.size(), 1u);
  EXPECT_EQ(attempts[0].node, "web1");
  EXPECT_EQ(attempts[0].attempt.steps, "steps");
}

TEST_P(StoreTest, OrphansAreListedNewestFirst) {
  const Attempt attempt{
      3,       9,      absl::FromUnixSeconds(1), absl::FromUnixSeconds(2), Reason::kUidTaken,
      "taken", "steps"};
  for (int64_t command = 1; command <= 3; ++command) {
    const Lease lease{command, "web1", 3, 9};
    ASSERT_TRUE(Commit({InsertOrphan{lease, absl::FromUnixSeconds(10 + command), attempt}}).ok());
  }
  const auto orphans = store_->ListOrphans(2);
  ASSERT_TRUE(orphans.ok()) << orphans.status();
  ASSERT_EQ(orphans->size(), 2u);
  EXPECT_EQ((*orphans)[0].lease, (Lease{3, "web1", 3, 9}));
  EXPECT_EQ((*orphans)[0].time, absl::FromUnixSeconds(13));
  EXPECT_EQ((*orphans)[0].attempt.reason, Reason::kUidTaken);
  EXPECT_EQ((*orphans)[0].attempt.message, "taken");
  EXPECT_EQ((*orphans)[0].attempt.steps, "steps");
  EXPECT_EQ((*orphans)[1].lease.command, 2);
}

TEST_P(StoreTest, EventsAreReadFromAnySequence) {
  for (int64_t sequence = 1; sequence <= 10; ++sequence) {
    Event event;
    event.sequence = sequence;
    event.time = absl::FromUnixMicros(sequence);
    event.type = EventType::kNodeConnected;
    event.node = "web1";
    event.message = "m";
    ASSERT_TRUE(Commit({event}).ok());
  }
  const std::vector<Event> events = *store_->ListEvents(7, 2);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].sequence, 8);
  EXPECT_EQ(events[1].type, EventType::kNodeConnected);
  EXPECT_EQ(store_->Load()->last_sequence, 10);
}

TEST_P(StoreTest, ResourcesAreReplacedAndDeleted) {
  ASSERT_TRUE(Commit({ResourceChange{"node", "a", "1"}, ResourceChange{"node", "b", "2"}}).ok());
  ASSERT_TRUE(
      Commit({ResourceChange{"node", "a", "3"}, ResourceChange{"node", "b", std::nullopt}}).ok());
  const Snapshot snapshot = *store_->Load();
  ASSERT_EQ(snapshot.resources.size(), 1u);
  EXPECT_EQ(snapshot.resources[0].data, "3");
}

TEST_P(StoreTest, SinceWhenNodesAreAwaySurvives) {
  const auto session = [](int64_t sequence, EventType type, const std::string& node) {
    Event event;
    event.sequence = sequence;
    event.time = absl::FromUnixSeconds(1'700'000'000 + sequence);
    event.type = type;
    event.node = node;
    return event;
  };
  ASSERT_TRUE(Commit({session(1, EventType::kNodeDisconnected, "back"),
                      session(2, EventType::kNodeConnected, "back"),
                      session(3, EventType::kNodeConnected, "gone"),
                      session(4, EventType::kNodeDisconnected, "gone"),
                      session(5, EventType::kNodePaused, "gone")})
                  .ok());
  Reopen();
  const std::map<std::string, absl::Time> expected = {
      {"gone", absl::FromUnixSeconds(1'700'000'004)}};
  EXPECT_EQ(store_->Load()->disconnect_times, expected);
}

TEST_P(StoreTest, TermSurvives) {
  ASSERT_TRUE(Commit({SetTerm{41}}).ok());
  ASSERT_TRUE(Commit({SetTerm{42}}).ok());
  Reopen();
  EXPECT_EQ(store_->Load()->term, 42u);
}

// Commands 1 to 3 are finished in that order, a minute apart; 4 is not. Each has an event.
class StoreArchiveTest : public StoreTest {
 protected:
  StoreArchiveTest() {
    for (CommandId id = 1; id <= 4; ++id) {
      Command command = MakeCommand(id, absl::StrCat("r", id));
      Event event;
      event.sequence = id;
      event.time = At(id);
      event.type = EventType::kCommandCreated;
      event.command = id;
      EXPECT_TRUE(Commit({InsertCommand{command}, event}).ok());
      if (id == 4) continue;
      const Attempt attempt{1, 9, At(id), At(id), Reason::kNone, "", "steps"};
      EXPECT_TRUE(Commit({InsertAttempt{id, "web1", attempt},
                          FinishCommand{id, CommandState::kSucceeded, At(id)}})
                      .ok());
    }
  }

  static absl::Time At(int64_t minute) {
    return absl::FromUnixSeconds(1'900'000'000) + absl::Minutes(minute);
  }
  std::vector<CommandId> Listed(const CommandQuery& query) {
    std::vector<CommandId> ids;
    const std::vector<Command> commands = *store_->ListCommands(query);
    for (const Command& command : commands) ids.push_back(command.id);
    return ids;
  }
  std::vector<int64_t> Events(int64_t after, int limit) {
    std::vector<int64_t> sequences;
    const std::vector<Event> events = *store_->ListEvents(after, limit);
    for (const Event& event : events) sequences.push_back(event.sequence);
    return sequences;
  }
  // Nothing of what is asked shows where it is kept.
  void ExpectAllReadable() {
    for (CommandId id = 1; id <= 4; ++id) {
      EXPECT_EQ(store_->GetCommand(id)->tasks.size(), 2u) << id;
      EXPECT_EQ((*store_->FindRequest(absl::StrCat("r", id)))->id, id);
      EXPECT_EQ(store_->ListAttempts(id)->size(), id == 4 ? 0u : 1u);
    }
    EXPECT_EQ(Listed({}), (std::vector<CommandId>{4, 3, 2, 1}));
    EXPECT_EQ(Listed({.limit = 2}), (std::vector<CommandId>{4, 3}));
    EXPECT_EQ(Listed({.before = 4, .limit = 2}), (std::vector<CommandId>{3, 2}));
    EXPECT_EQ(Listed({.active_only = true}), (std::vector<CommandId>{4}));
    EXPECT_EQ(Events(0, 10), (std::vector<int64_t>{1, 2, 3, 4}));
    EXPECT_EQ(Events(0, 2), (std::vector<int64_t>{1, 2}));
    EXPECT_EQ(Events(1, 2), (std::vector<int64_t>{2, 3}));
    EXPECT_EQ(Events(4, 2), (std::vector<int64_t>{}));
    EXPECT_EQ(store_->Load()->last_sequence, 4);
    EXPECT_EQ(store_->Load()->last_command, 4);
  }
};

TEST_P(StoreArchiveTest, WhatIsOldIsReadAsBefore) {
  ExpectAllReadable();
  const Store::Archived moved = *store_->MoveToArchive(At(3), 1);
  EXPECT_LE(moved.commands, 1);
  EXPECT_LE(moved.events, 1);
  while (store_->MoveToArchive(At(3), 1)->commands > 0) ExpectAllReadable();
  ExpectAllReadable();
  EXPECT_EQ(store_->MoveToArchive(At(3), 1)->events, 0) << "it came to an end";
  Reopen();
  ExpectAllReadable();
}

TEST_P(StoreArchiveTest, NumbersGoOnWhenEverythingIsOld) {
  ASSERT_TRUE(Commit({FinishCommand{4, CommandState::kSucceeded, At(4)}}).ok());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(store_->MoveToArchive(At(100), 10).ok());
  Reopen();
  EXPECT_EQ(store_->Load()->last_sequence, 4);
  EXPECT_EQ(store_->Load()->last_command, 4);
  Event event;
  event.sequence = 5;
  event.time = At(5);
  ASSERT_TRUE(Commit({event}).ok());
  EXPECT_EQ(Events(2, 10), (std::vector<int64_t>{3, 4, 5}));
}

TEST_P(StoreArchiveTest, WhatIsLiveStaysHoweverOld) {
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(store_->MoveToArchive(At(100), 10).ok());
  ASSERT_EQ(store_->Load()->live.size(), 1u);
  EXPECT_TRUE(Commit({FinishCommand{4, CommandState::kFailed, At(200)}}).ok());
}

TEST_P(StoreArchiveTest, OldLooksOfTheManagerGo) {
  const auto finished = [&](CommandId id, const char* kind, const char* actor, int64_t minute) {
    Command command = MakeCommand(id);
    command.kind = kind;
    command.actor = actor;
    const Attempt attempt{1, 9, At(id), At(id), Reason::kNone, "", "steps"};
    ASSERT_TRUE(Commit({InsertCommand{command}, InsertAttempt{id, "web1", attempt},
                        FinishCommand{id, CommandState::kFailed, At(minute)}})
                    .ok());
  };
  finished(5, "preflight", "manager", 10);
  finished(6, "preflight", "manager", 11);
  finished(7, "preflight", "manager", 20);
  finished(8, "preflight", "alice", 10);
  finished(9, "resync_node", "manager", 10);
  Command live = MakeCommand(10);
  live.kind = "preflight";
  live.actor = "manager";
  ASSERT_TRUE(Commit({InsertCommand{live}}).ok());
  EXPECT_EQ(*store_->DeleteLooks(At(20), 1), 1);
  EXPECT_EQ(*store_->DeleteLooks(At(20), 10), 1);
  EXPECT_EQ(*store_->DeleteLooks(At(20), 10), 0);
  EXPECT_EQ(Listed({}), (std::vector<CommandId>{10, 9, 8, 7, 4, 3, 2, 1}));
  EXPECT_TRUE(store_->ListAttempts(5)->empty());
  EXPECT_EQ(store_->GetCommand(6).status().code(), absl::StatusCode::kNotFound);
  Reopen();
  EXPECT_EQ(Listed({}), (std::vector<CommandId>{10, 9, 8, 7, 4, 3, 2, 1}));
}

TEST_P(StoreArchiveTest, TheNewestCommandStaysThoughItIsALook) {
  ASSERT_TRUE(Commit({FinishCommand{4, CommandState::kSucceeded, At(4)}}).ok());
  Command look = MakeCommand(5);
  look.kind = "preflight";
  look.actor = "manager";
  ASSERT_TRUE(
      Commit({InsertCommand{look}, FinishCommand{5, CommandState::kSucceeded, At(5)}}).ok());
  EXPECT_EQ(*store_->DeleteLooks(At(100), 10), 0);
  Reopen();
  EXPECT_EQ(store_->Load()->last_command, 5);
}

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreArchiveTest, testing::Values([] {
                           return std::unique_ptr<Place>(std::make_unique<SqlitePlace>());
                         }));
INSTANTIATE_TEST_SUITE_P(Memory, StoreArchiveTest, testing::Values([] {
                           return std::unique_ptr<Place>(std::make_unique<MemoryPlace>());
                         }));

// A crash between the copy and the deletion leaves both; a restored backup has numbers anew that
// the archive has seen.
// Whoever loads an active command counts its parts.
TEST_P(StoreArchiveTest, PartsStayWithTheirWhole) {
  for (const CommandId id : {5, 6, 7}) {
    Command command = MakeCommand(id);
    if (id != 5) command.part_of = 5;
    ASSERT_TRUE(Commit({InsertCommand{command}}).ok());
    if (id == 5) continue;
    ASSERT_TRUE(Commit({FinishCommand{id, CommandState::kSucceeded, At(0)}}).ok());
  }
  ASSERT_TRUE(Commit({InsertCommand{MakeCommand(8)}}).ok());
  const std::map<CommandState, int> wanted = {{CommandState::kSucceeded, 2}};
  while (store_->MoveToArchive(At(9), 10)->commands > 0) {
  }
  EXPECT_EQ(store_->Load()->live[1].id, 5);
  EXPECT_EQ(store_->Load()->live[1].parts, wanted);
  ASSERT_TRUE(Commit({FinishCommand{5, CommandState::kSucceeded, At(1)}}).ok());
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(store_->GetCommand(5)->parts, wanted);
    EXPECT_EQ(Listed({.part_of = 5}), (std::vector<CommandId>{7, 6}));
    ASSERT_TRUE(store_->MoveToArchive(At(9), 1).ok());
  }
}

TEST(SqliteArchiveTest, WhatWasCopiedBeforeIsCopiedAgain) {
  SqlitePlace place;
  const auto store = *place.Open();
  const auto event = [](int64_t sequence, const char* message) {
    Event out;
    out.sequence = sequence;
    out.time = absl::FromUnixSeconds(sequence);
    out.message = message;
    return out;
  };
  ASSERT_TRUE(store->Commit({event(1, "a"), event(2, "b"), event(3, "c")}).ok());
  std::string archive = place.path();
  archive.replace(archive.size() - 8, 8, "archive.db");
  {
    const auto other = *Archive::Open(place.path(), archive, SqliteStore::DefaultOptions());
    ASSERT_EQ(other->Copy(absl::FromUnixSeconds(10), 2)->events, 2);
  }
  EXPECT_EQ(store->ListEvents(0, 10)->size(), 3u) << "each once";
  EXPECT_EQ(store->MoveToArchive(absl::FromUnixSeconds(10), 2)->events, 2);
  EXPECT_EQ(store->ListEvents(0, 10)->size(), 3u);
}

// Commits go on while others' work is moved.
TEST(SqliteArchiveTest, CommitsDoNotWaitForIt) {
  SqlitePlace place;
  const auto store = *place.Open();
  constexpr int kEvents = 3'000;
  for (int64_t sequence = 1; sequence <= kEvents; sequence += 1'000) {
    std::vector<Mutation> mutations;
    for (int64_t i = sequence; i < sequence + 1'000; ++i) {
      Event event;
      event.sequence = i;
      event.time = absl::FromUnixSeconds(i);
      mutations.push_back(event);
    }
    ASSERT_TRUE(store->Commit(mutations).ok());
  }
  Retention::Options options;
  options.age = absl::Hours(1);
  options.batch = 100;
  options.pause = absl::ZeroDuration();
  int64_t sequence = kEvents;
  std::atomic<bool> done = false;
  {
    Retention retention(*store, SystemClock(), options,
                        [&](const absl::StatusOr<Retention::Done>& turn) {
                          ASSERT_TRUE(turn.ok()) << turn.status();
                          EXPECT_EQ(turn->events, kEvents);
                          done = true;
                        });
    for (int i = 0; i < 20 || !done; ++i) {
      Event event;
      event.sequence = ++sequence;
      event.time = absl::Now();
      ASSERT_TRUE(store->Commit({event}).ok());
    }
  }
  int64_t expected = 0;
  while (expected < sequence) {
    const std::vector<Event> page = *store->ListEvents(expected, 500);
    ASSERT_FALSE(page.empty());
    for (const Event& event : page) ASSERT_EQ(event.sequence, ++expected);
  }
}

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreTest, testing::Values([] {
                           return std::unique_ptr<Place>(std::make_unique<SqlitePlace>());
                         }));

INSTANTIATE_TEST_SUITE_P(Memory, StoreTest, testing::Values([] {
                           return std::unique_ptr<Place>(std::make_unique<MemoryPlace>());
                         }));

TEST(SqliteStoreTest, GarbageIsRefusedWithAReasonAndLeftAlone) {
  SqlitePlace place;
  const std::string garbage(10'000, 'x');
  std::ofstream(place.path()) << garbage;
  const auto store = place.Open();
  EXPECT_EQ(ReasonOf(store.status()), Reason::kStoreUnavailable);
  EXPECT_EQ(std::filesystem::file_size(place.path()), garbage.size());
}

}  // namespace
}  // namespace hostq::manager
