// Random inputs, in any order, valid or not: the guards and invariants of the harness hold after
// each, at most one task of a node and key is with the node, and when the faults stop everything
// drains.
#include <gtest/gtest.h>

#include <set>

#include "manager/domain/findings.h"
#include "queue_harness.h"

namespace hostq::manager {
namespace {

constexpr const char* kNodes[] = {"storage1", "web1", "web2"};
constexpr Reason kReasons[] = {
    Reason::kNone,       Reason::kNone,        Reason::kStepTimedOut,    Reason::kUidTaken,
    Reason::kShareStale, Reason::kInterrupted, Reason::kPreflightFailed, Reason::kQuotaTooLarge};

class Monkey {
 public:
  explicit Monkey(uint64_t seed) : dice_(seed) {
    for (const char* node : kNodes) h_.AddNode(node);
  }

  void Step() {
    const char* node = kNodes[Roll(3)];
    switch (Roll(14)) {
      case 0:
      case 1:
        Submit();
        break;
      case 2:
        h_.Connect(node, 1 + static_cast<int>(Roll(4)), SomeInFlight(node));
        break;
      case 3:
        if (h_.queue.FindNode(node)->connected()) h_.Disconnect(node);
        break;
      case 4:
        h_.Accept(SomeLease());
        break;
      case 5:
        h_.Progress(SomeLease(), Roll(8) == 0);
        break;
      case 6:
      case 7:
      case 8:
        h_.Result(SomeLease(), kReasons[Roll(std::size(kReasons))]);
        break;
      case 9:
        h_.Refuse(SomeLease(), Roll(2) ? Reason::kBufferFull : Reason::kStaleEpoch);
        break;
      case 10:
        h_.Advance(absl::Seconds(Roll(40)));
        break;
      case 11:
        Act([&](CommandId id, Changes& out) {
          return h_.queue.Retry(id, "", "monkey", h_.now, out);
        });
        break;
      case 12:
        Act([&](CommandId id, Changes& out) {
          return h_.queue.Skip(id, Roll(2) ? "" : node, "monkey", "because", h_.now, out);
        });
        break;
      case 13:
        if (Roll(3) != 0) break;
        Act([&](CommandId id, Changes& out) { return h_.queue.Cancel(id, "monkey", h_.now, out); });
        break;
    }
  }

  void Check() {
    std::set<std::pair<std::string, std::string>> with_node;
    size_t live = 0;
    std::map<std::string, int> in_flight;
    for (const auto& [id, command] : h_.queue.commands()) {
      bool any = false;
      for (const Task& task : command.tasks) {
        if (!task.live()) continue;
        any = true;
        ++live;
        ASSERT_TRUE(Explain(h_.queue, command, task, h_.now).has_value());
        const Task& stored = h_.stored.at({id, task.node});
        ASSERT_EQ(stored.phase, task.phase) << "memory and store differ";
        if (!task.in_flight()) continue;
        ++in_flight[task.node];
        ASSERT_TRUE(with_node.insert({task.node, command.resource_key}).second)
            << "two of one key with " << task.node;
      }
      ASSERT_TRUE(any) << "a command without live tasks was kept";
    }
    ASSERT_EQ(live, h_.queue.live_tasks());
    for (const char* node : kNodes) {
      ASSERT_EQ(h_.queue.FindNode(node)->in_flight, in_flight[node]);
    }
  }

  // Everything works from now on.
  void Drain() {
    for (const char* node : kNodes) h_.Connect(node, 4);
    for (int round = 0; round < 10'000 && h_.queue.live_tasks() > 0; ++round) {
      for (const auto& [id, command] : std::map(h_.queue.commands())) {
        for (const Task& task : command.tasks) {
          if (task.phase == Phase::kParked) {
            Changes out;
            (void)h_.Do([&, parked = id](Changes& o) {
              return h_.queue.Retry(parked, task.node, "d", h_.now, o);
            });
          }
          if (task.in_flight()) h_.Result({id, task.node, task.attempt, task.epoch});
        }
      }
      h_.Advance(absl::Seconds(30));
    }
    EXPECT_EQ(h_.queue.live_tasks(), 0u);
    for (const auto& [id, state] : h_.states) EXPECT_NE(state, CommandState::kActive);
  }

 private:
  uint64_t Roll(uint64_t sides) { return dice_.Next() % sides; }

  void Submit() {
    std::vector<std::pair<std::string, int>> tasks;
    for (const char* node : kNodes) {
      if (Roll(3) != 0) tasks.emplace_back(node, node[0] == 's' ? 0 : static_cast<int>(Roll(2)));
    }
    if (tasks.empty()) return;
    QueueHarness::Options options;
    if (Roll(5) == 0) options.supersedes = {Roll(2) ? "a" : "*"};
    if (Roll(6) == 0) options.not_after = h_.now.wall + absl::Seconds(Roll(60));
    ids_.push_back(h_.Submit("key/" + std::to_string(Roll(3)), tasks, options));
  }

  // Current, stale or invented.
  Lease SomeLease() {
    if (h_.assigns.empty()) return {1, "web1", 1, 1};
    Lease lease =
        h_.assigns[h_.assigns.size() - 1 - Roll(std::min<uint64_t>(h_.assigns.size(), 12))].lease;
    if (Roll(10) == 0) ++lease.epoch;
    return lease;
  }

  std::vector<HelloFacts::InFlight> SomeInFlight(const std::string& node) {
    std::vector<HelloFacts::InFlight> has;
    for (const auto& [key, lease] : h_.leases) {
      if (key.second == node && Roll(2) == 0) has.push_back({lease, Roll(2) == 0});
    }
    return has;
  }

  template <typename F>
  void Act(F f) {
    if (ids_.empty()) return;
    const CommandId id = ids_[Roll(ids_.size())];
    (void)h_.Do([&](Changes& out) { return f(id, out); });
  }

  SeededRandom dice_;
  QueueHarness h_;
  std::vector<CommandId> ids_;
};

TEST(QueueRandomTest, InvariantsHoldWhateverComesAndEverythingDrains) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    Monkey monkey(seed);
    for (int i = 0; i < 400; ++i) {
      monkey.Step();
      ASSERT_NO_FATAL_FAILURE(monkey.Check());
      ASSERT_FALSE(testing::Test::HasFailure());
    }
    monkey.Drain();
    ASSERT_FALSE(testing::Test::HasFailure());
  }
}

}  // namespace
}  // namespace hostq::manager
