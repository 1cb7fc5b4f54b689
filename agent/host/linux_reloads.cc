#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/host/evidence.h"
#include "agent/host/file_descriptor.h"
#include "agent/host/linux_parts.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/text.h"

namespace hostq::agent {
namespace {

// No reload is for what has only been announced: it may still be changing.
constexpr int64_t kAnnounced = std::numeric_limits<int64_t>::max();
constexpr absl::Duration kPause = absl::Milliseconds(20);

// Every time somebody asks, the count goes up; a reload is for all that had been asked for when it
// began. It is a group commit: `done` and `failed` say up to where.
struct State {
  int64_t asked = 0;
  int64_t done = 0;
  int64_t failed = 0;
  absl::Status failure;  // of `failed`
  std::map<std::string, int64_t> waiting;
};

nlohmann::json ToJson(const absl::Status& failure) {
  return {{"code", static_cast<int>(failure.code())},
          {"reason", static_cast<int>(ReasonOf(failure))},
          {"message", std::string(failure.message())},
          {"evidence", EvidenceOf(failure)}};
}

absl::Status FailureFromJson(const nlohmann::json& json) {
  absl::Status failure = MakeError(static_cast<absl::StatusCode>(json.at("code").get<int>()),
                                   static_cast<Reason>(json.at("reason").get<int>()),
                                   json.at("message").get<std::string>());
  for (const auto& [name, value] : json.at("evidence").items()) {
    failure = WithEvidence(std::move(failure), name, value.get<std::string>());
  }
  return failure;
}

std::string Format(const State& state) {
  nlohmann::json json = {{"asked", state.asked},
                         {"done", state.done},
                         {"failed", state.failed},
                         {"waiting", state.waiting}};
  if (!state.failure.ok()) json["failure"] = ToJson(state.failure);
  // What a program printed need not be UTF-8.
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

absl::StatusOr<State> Parse(const std::string& text, const std::string& path) {
  State state;
  try {
    const nlohmann::json json = nlohmann::json::parse(text);
    json.at("asked").get_to(state.asked);
    json.at("done").get_to(state.done);
    json.at("failed").get_to(state.failed);
    json.at("waiting").get_to(state.waiting);
    if (json.contains("failure")) state.failure = FailureFromJson(json.at("failure"));
  } catch (const nlohmann::json::exception& error) {
    return MakeError(absl::StatusCode::kInternal, Reason::kInternal,
                     absl::StrCat(path, ": ", error.what(), "; it may be removed"));
  }
  return state;
}

absl::Status FileError(absl::string_view doing, const std::string& path) {
  return ErrnoError(errno, FileReason(errno), absl::StrCat(doing, " ", path));
}

// The files of one reload, in a directory that is gone with the next boot: NAME.json, NAME.lock
// (held while that is changed) and NAME.running (held by who reloads; changed when that begins).
class Reload {
 public:
  static absl::StatusOr<Reload> Open(const std::string& directory, const std::string& name) {
    HOSTQ_RETURN_IF_ERROR(MakeDirectories(directory));
    return Reload(absl::StrCat(directory, "/", name));
  }

  absl::StatusOr<State> Read() const {
    HOSTQ_ASSIGN_OR_RETURN(const FileDescriptor lock, Lock());
    return Load();
  }

  absl::Status Change(absl::FunctionRef<void(State&)> change) const {
    HOSTQ_ASSIGN_OR_RETURN(const FileDescriptor lock, Lock());
    HOSTQ_ASSIGN_OR_RETURN(State state, Load());
    change(state);
    const std::string temporary = absl::StrCat(path_, ".new");
    std::ofstream(temporary) << Format(state);
    const std::string target = absl::StrCat(path_, ".json");
    return rename(temporary.c_str(), target.c_str()) == 0 ? absl::OkStatus()
                                                          : FileError("writing", target);
  }

  // Who has it may reload. Nobody has it if it is not valid: then somebody else does.
  absl::StatusOr<FileDescriptor> TryRun() const {
    const std::string path = absl::StrCat(path_, ".running");
    FileDescriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!file.valid()) return FileError("opening", path);
    if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) file.Close();
    return file;
  }

 private:
  explicit Reload(std::string path) : path_(std::move(path)) {}

  absl::StatusOr<FileDescriptor> Lock() const {
    const std::string path = absl::StrCat(path_, ".lock");
    FileDescriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!file.valid() || flock(file.get(), LOCK_EX) != 0) return FileError("locking", path);
    return file;
  }

  absl::StatusOr<State> Load() const {
    const std::string path = absl::StrCat(path_, ".json");
    std::ifstream file(path);
    if (!file) return errno == ENOENT ? absl::StatusOr<State>(State()) : FileError("reading", path);
    return Parse(std::string(std::istreambuf_iterator<char>(file), {}), path);
  }

  std::string path_;
};

// Waits until `interval` after the last reload began, and begins.
void KeepInterval(int running_fd, absl::Duration interval) {
  struct stat info {};
  if (fstat(running_fd, &info) == 0 && info.st_size > 0) {
    const absl::Duration left = absl::TimeFromTimespec(info.st_mtim) + interval - absl::Now();
    // The clock may have been set.
    absl::SleepFor(std::clamp(left, absl::ZeroDuration(), interval));
  }
  (void)!pwrite(running_fd, "1", 1, 0);
}

class LinuxReloads final : public Reloads {
 public:
  explicit LinuxReloads(const RealHostOptions& options)
      : directory_(absl::StrCat(options.run_directory, "/reloads")) {}

  absl::StatusOr<bool> Announce(const std::string& name, const std::string& who) override {
    HOSTQ_ASSIGN_OR_RETURN(const Reload reload, Reload::Open(directory_, name));
    bool waited = false;
    HOSTQ_RETURN_IF_ERROR(reload.Change(
        [&](State& state) { waited = !state.waiting.insert_or_assign(who, kAnnounced).second; }));
    return waited;
  }

  absl::Status Ask(const std::string& name, const std::string& who) override {
    HOSTQ_ASSIGN_OR_RETURN(const Reload reload, Reload::Open(directory_, name));
    return reload.Change([&](State& state) { state.waiting[who] = ++state.asked; });
  }

  absl::Status Withdraw(const std::string& name, const std::string& who) override {
    HOSTQ_ASSIGN_OR_RETURN(const Reload reload, Reload::Open(directory_, name));
    return reload.Change([&](State& state) { state.waiting.erase(who); });
  }

  absl::StatusOr<ReloadOutcome> Await(const std::string& name, const std::string& who,
                                      absl::Duration interval, absl::Duration patience,
                                      absl::FunctionRef<absl::Status()> run) override {
    HOSTQ_ASSIGN_OR_RETURN(const Reload reload, Reload::Open(directory_, name));
    const absl::Duration deadline = SystemClock().Monotonic() + patience;
    while (true) {
      HOSTQ_ASSIGN_OR_RETURN(const FileDescriptor running, reload.TryRun());
      HOSTQ_ASSIGN_OR_RETURN(const State state, reload.Read());
      const auto mine = state.waiting.find(who);
      if (mine == state.waiting.end()) return ReloadOutcome{.by_another = true};
      if (mine->second <= state.failed) return state.failure;
      if (running.valid()) {
        KeepInterval(running.get(), interval);
        return Run(reload, run);
      }
      if (SystemClock().Monotonic() >= deadline) {
        return MakeError(absl::StatusCode::kDeadlineExceeded, Reason::kHookTimedOut,
                         absl::StrCat("the reload of ", name, " for others has not ended after ",
                                      FormatAge(patience)));
      }
      absl::SleepFor(kPause);
    }
  }

 private:
  static absl::StatusOr<ReloadOutcome> Run(const Reload& reload,
                                           absl::FunctionRef<absl::Status()> run) {
    HOSTQ_ASSIGN_OR_RETURN(const State before, reload.Read());
    const absl::Status result = run();
    ReloadOutcome outcome;
    HOSTQ_RETURN_IF_ERROR(reload.Change([&](State& state) {
      if (!result.ok()) {
        state.failed = before.asked;
        state.failure = result;
        return;
      }
      state.done = before.asked;
      const auto done = std::erase_if(
          state.waiting, [&](const auto& waiting) { return waiting.second <= state.done; });
      outcome.others = std::max(0, static_cast<int>(done) - 1);
    }));
    HOSTQ_RETURN_IF_ERROR(result);
    return outcome;
  }

  const std::string directory_;
};

}  // namespace

std::unique_ptr<Reloads> MakeLinuxReloads(const RealHostOptions& options) {
  return std::make_unique<LinuxReloads>(options);
}

}  // namespace hostq::agent
