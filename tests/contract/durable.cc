#include "tests/contract/durable.h"

#include <stdlib.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "agent/journal/sqlite_journal.h"
#include "common/base/error.h"
#include "manager/store/sqlite/sqlite_store.h"

namespace hostq::testing {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

// Of different lengths, so that some steps take one page of the log and others several.
std::string Payload(int number) {
  return absl::StrCat(number, std::string(static_cast<size_t>(number * 7919 % 5'000), 'p'));
}

absl::Status Wrong(absl::string_view what) { return absl::DataLossError(what); }

class DurableStore final : public Durable {
 public:
  DurableStore(std::string path, const sqlite::OpenOptions& options)
      : path_(std::move(path)), options_(options) {}

  absl::Status Open() override {
    Close();
    auto store = manager::SqliteStore::Open(path_, options_);
    if (store.ok()) store_ = *std::move(store);
    return store.status();
  }
  void Close() override { store_.reset(); }

  // A command is added, the one before finished.
  absl::Status Step(int number) override {
    manager::Event event;
    event.sequence = number;
    event.command = number;
    event.time = kNow;
    std::vector<manager::Mutation> mutations = {
        manager::InsertCommand{CommandOf(number)}, event,
        manager::SetTerm{static_cast<uint64_t>(number)},
        manager::ResourceChange{"account", absl::StrCat(number % 5), Payload(number)}};
    if (number > 1) {
      manager::Task task = CommandOf(number - 1).tasks[0];
      task.phase = manager::Phase::kFinished;
      task.outcome = manager::Outcome::kSucceeded;
      mutations.push_back(
          manager::UpdateTask{number - 1, manager::Phase::kQueued, 0, 0, std::move(task)});
      mutations.push_back(
          manager::FinishCommand{number - 1, manager::CommandState::kSucceeded, kNow});
      manager::Attempt attempt;
      attempt.number = 1;
      attempt.steps = Payload(number);
      mutations.push_back(manager::InsertAttempt{number - 1, "web1", std::move(attempt)});
    }
    return store_->Commit(mutations);
  }

  absl::StatusOr<int> Read() override {
    HOSTQ_ASSIGN_OR_RETURN(const manager::Snapshot snapshot, store_->Load());
    const int last = static_cast<int>(snapshot.term);
    if (snapshot.last_sequence != last || snapshot.last_command != last ||
        snapshot.live.size() != (last > 0 ? 1u : 0u)) {
      return Wrong(absl::StrCat("term ", last, ", event ", snapshot.last_sequence, ", command ",
                                snapshot.last_command, ", live ", snapshot.live.size()));
    }
    for (const manager::ResourceChange& resource : snapshot.resources) {
      int number = last;
      while (absl::StrCat(number % 5) != resource.key) --number;
      if (resource.data != Payload(number)) return Wrong(absl::StrCat("resource ", resource.key));
    }
    for (int number = 1; number <= last; ++number) {
      HOSTQ_ASSIGN_OR_RETURN(const manager::Command command, store_->GetCommand(number));
      HOSTQ_ASSIGN_OR_RETURN(const auto attempts, store_->ListAttempts(number));
      HOSTQ_ASSIGN_OR_RETURN(const auto same,
                             store_->FindRequest(absl::StrCat("request-", number)));
      const bool finished = command.state == manager::CommandState::kSucceeded;
      if (command.work != Payload(number) || finished != (number < last) ||
          attempts.size() != (number < last ? 1u : 0u) || !same || same->id != number) {
        return Wrong(absl::StrCat("command ", number, " of ", last));
      }
    }
    HOSTQ_ASSIGN_OR_RETURN(const auto events, store_->ListEvents(0, last + 10));
    if (static_cast<int>(events.size()) != last) return Wrong("events");
    return last;
  }
  Reason reason() const override { return Reason::kStoreUnavailable; }

 private:
  static manager::Command CommandOf(int number) {
    manager::Command command;
    command.id = number;
    command.kind = "create_account";
    command.resource_key = absl::StrCat("account/", number);
    command.actor = "root";
    command.request_id = absl::StrCat("request-", number);
    command.work = Payload(number);
    command.create_time = kNow;
    manager::Task& task = command.tasks.emplace_back();
    task.node = "web1";
    task.phase_time = kNow;
    return command;
  }

  const std::string path_;
  const sqlite::OpenOptions options_;
  std::unique_ptr<manager::SqliteStore> store_;
};

class DurableJournal final : public Durable {
 public:
  DurableJournal(std::string path, const sqlite::OpenOptions& options)
      : path_(std::move(path)), options_(options) {}

  absl::Status Open() override {
    Close();
    auto journal = agent::SqliteJournal::Open(path_, options_);
    if (journal.ok()) journal_ = *std::move(journal);
    return journal.status();
  }
  void Close() override { journal_.reset(); }

  // A task is accepted and begun, the one before finished, the one before that acknowledged.
  absl::Status Step(int number) override {
    agent::JournalBatch batch;
    agent::Assignment assignment{LeaseOf(number), absl::StrCat("account/", number % 3),
                                 "set_quota",     Payload(number),
                                 {"app"},         absl::Seconds(30)};
    batch.accept.push_back({std::move(assignment), true});
    if (number > 1) batch.finished.push_back({LeaseOf(number - 1), Payload(number - 1)});
    if (number > 2) batch.acknowledged.push_back(LeaseOf(number - 2));
    HOSTQ_ASSIGN_OR_RETURN(const auto answers, journal_->Commit(batch, kNow));
    return answers.at(0).outcome == agent::AcceptOutcome::kAccepted ? absl::OkStatus()
                                                                    : Wrong("not accepted");
  }

  absl::StatusOr<int> Read() override {
    HOSTQ_ASSIGN_OR_RETURN(const agent::JournalState state, journal_->Load());
    const int last = static_cast<int>(state.max_epoch);
    if (state.in_flight.size() != (last > 0 ? 1u : 0u) ||
        state.unacknowledged.size() != (last > 1 ? 1u : 0u)) {
      return Wrong(absl::StrCat("epoch ", last, ", in flight ", state.in_flight.size(), ", outbox ",
                                state.unacknowledged.size()));
    }
    if (last > 0 && (state.in_flight[0].assignment.lease != LeaseOf(last) ||
                     state.in_flight[0].assignment.work != Payload(last))) {
      return Wrong(absl::StrCat("the task in flight is not ", last));
    }
    if (last > 1 && (state.unacknowledged[0].lease != LeaseOf(last - 1) ||
                     state.unacknowledged[0].result != Payload(last - 1))) {
      return Wrong(absl::StrCat("the result in the outbox is not of ", last - 1));
    }
    return last;
  }
  Reason reason() const override { return Reason::kJournalUnavailable; }

 private:
  static agent::Lease LeaseOf(int number) {
    return {absl::StrCat("task-", number), 1, static_cast<uint64_t>(number)};
  }

  const std::string path_;
  const sqlite::OpenOptions options_;
  std::unique_ptr<agent::SqliteJournal> journal_;
};

class DurableTable final : public Durable {
 public:
  DurableTable(std::string path, const sqlite::OpenOptions& options, std::string synchronous)
      : path_(std::move(path)), options_(options), synchronous_(std::move(synchronous)) {}

  absl::Status Open() override {
    Close();
    HOSTQ_ASSIGN_OR_RETURN(database_, sqlite::Database::Open(path_, options_));
    return database_->Execute(
        absl::StrCat("PRAGMA synchronous=", synchronous_,
                     ";CREATE TABLE IF NOT EXISTS step(number INTEGER PRIMARY KEY, payload BLOB)"));
  }
  void Close() override { database_.reset(); }
  absl::Status Step(int number) override {
    return database_->Execute(
        absl::StrCat("INSERT INTO step VALUES(", number, ",'", Payload(number), "')"));
  }
  absl::StatusOr<int> Read() override {
    HOSTQ_ASSIGN_OR_RETURN(const int64_t last,
                           database_->QueryInt64("SELECT ifnull(max(number),0) FROM step"));
    HOSTQ_ASSIGN_OR_RETURN(const int64_t count, database_->QueryInt64("SELECT count(*) FROM step"));
    if (count != last) return Wrong(absl::StrCat(count, " rows, the last is ", last));
    return static_cast<int>(last);
  }
  Reason reason() const override { return Reason::kNone; }

 private:
  const std::string path_;
  const sqlite::OpenOptions options_;
  const std::string synchronous_;
  std::unique_ptr<sqlite::Database> database_;
};

}  // namespace

MakeDurable StoreMaker() {
  return [](const std::string& path, const sqlite::OpenOptions& options) {
    return std::make_unique<DurableStore>(path, options);
  };
}

MakeDurable JournalMaker() {
  return [](const std::string& path, sqlite::OpenOptions options) {
    options.exclusive = true;
    return std::make_unique<DurableJournal>(path, options);
  };
}

MakeDurable TableMaker(const std::string& synchronous) {
  return [synchronous](const std::string& path, const sqlite::OpenOptions& options) {
    return std::make_unique<DurableTable>(path, options, synchronous);
  };
}

DurablePlace::DurablePlace(const MakeDurable& make, int autocheckpoint_pages) {
  // In memory: what survives is decided here, and thousands of these are made.
  std::string pattern = std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : "/tmp";
  pattern += "/hostq-disk-test.XXXXXX";
  directory_ = mkdtemp(pattern.data());
  path_ = directory_ + "/test.db";
  sqlite::OpenOptions options;
  options.vfs = disk_.vfs();
  options.autocheckpoint_pages = autocheckpoint_pages;
  database_ = make(path_, options);
}

DurablePlace::~DurablePlace() {
  database_.reset();
  std::filesystem::remove_all(directory_);
}

absl::Status DurablePlace::CheckIntegrity() {
  database_->Close();
  if (!std::filesystem::exists(path_)) return absl::OkStatus();
  sqlite::OpenOptions options;
  options.vfs = disk_.vfs();
  HOSTQ_ASSIGN_OR_RETURN(const auto database, sqlite::Database::Open(path_, options));
  HOSTQ_ASSIGN_OR_RETURN(sqlite::Statement check, database->Prepare("PRAGMA integrity_check"));
  HOSTQ_ASSIGN_OR_RETURN(const bool row, check.Step());
  return row && check.Text(0) == "ok" ? absl::OkStatus() : Wrong(check.Text(0));
}

}  // namespace hostq::testing
