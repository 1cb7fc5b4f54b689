#include <grp.h>
#include <pwd.h>
#include <shadow.h>
#include <signal.h>
#include <sys/types.h>

#include <cctype>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "agent/host/child.h"
#include "agent/host/evidence.h"
#include "agent/host/linux_parts.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

// The tools themselves wait 15 s for the lock on the user database.
constexpr absl::Duration kToolTimeout = absl::Seconds(25);
constexpr absl::Duration kKillPatience = absl::Seconds(5);
constexpr uint32_t kLowestUid = 1000;

struct FileCloser {
  void operator()(FILE* file) const { fclose(file); }
};
using File = std::unique_ptr<FILE, FileCloser>;

absl::StatusOr<File> Open(const char* path) {
  File file(fopen(path, "re"));
  if (file == nullptr) {
    return ErrnoError(errno, errno == EACCES ? Reason::kPermissionDenied : Reason::kInternal,
                      absl::StrCat("opening ", path));
  }
  return file;
}

// Exit statuses of groupadd, useradd, usermod, userdel and groupdel (shadow-utils).
absl::Status ToolError(const std::vector<std::string>& argv, const ProgramOutcome& outcome) {
  Reason reason = Reason::kInternal;
  if (absl::StrContains(outcome.output, "lock")) {
    reason = Reason::kAccountDatabaseLocked;
  } else if (absl::StrContains(outcome.output, "ermission denied")) {
    reason = Reason::kPermissionDenied;
  } else if (outcome.exit_status == 4) {
    reason = argv[0] == "groupadd" ? Reason::kGidTaken : Reason::kUidTaken;
  } else if (outcome.exit_status == 9) {
    reason = argv[0] == "groupadd" ? Reason::kGidTaken : Reason::kUserNameTaken;
  } else if (outcome.exit_status == 6) {
    reason = Reason::kUserMissing;
  }
  return WithEvidence(
      MakeError(absl::StatusCode::kFailedPrecondition, reason,
                absl::StrCat(argv[0], " ", argv.back(), " failed: ", outcome.output)),
      "exit_status", absl::StrCat(outcome.exit_status));
}

absl::Status RunTool(const std::vector<std::string>& argv) {
  HOSTQ_ASSIGN_OR_RETURN(const ProgramOutcome outcome, RunProgram(argv, kToolTimeout));
  return outcome.exit_status == 0 ? absl::OkStatus() : ToolError(argv, outcome);
}

// Living processes whose real or effective user is `uid`.
std::vector<pid_t> ProcessesOf(uint32_t uid) {
  std::vector<pid_t> found;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
    std::ifstream status(entry.path() / "status");
    std::string line;
    bool zombie = false;
    bool owned = false;
    while (std::getline(status, line)) {
      if (absl::StartsWith(line, "State:\tZ")) zombie = true;
      if (!absl::StartsWith(line, "Uid:")) continue;
      const std::vector<std::string> ids = absl::StrSplit(line, '\t');  // real, effective, ...
      const std::string wanted = absl::StrCat(uid);
      owned = ids.size() > 2 && (ids[1] == wanted || ids[2] == wanted);
      break;
    }
    if (owned && !zombie) found.push_back(pid);
  }
  return found;
}

class LinuxUsers final : public Users {
 public:
  absl::StatusOr<std::vector<User>> List() override {
    HOSTQ_ASSIGN_OR_RETURN(const File file, Open("/etc/passwd"));
    std::vector<User> all;
    while (const passwd* entry = fgetpwent(file.get())) all.push_back(UserOf(*entry));
    return all;
  }
  absl::StatusOr<std::optional<User>> FindUser(const std::string& name) override {
    return Find([&](const passwd& entry) { return entry.pw_name == name; });
  }
  absl::StatusOr<std::optional<User>> FindUserByUid(uint32_t uid) override {
    return Find([&](const passwd& entry) { return entry.pw_uid == uid; });
  }
  absl::StatusOr<std::optional<Group>> FindGroup(const std::string& name) override {
    return FindInGroups([&](const group& entry) { return entry.gr_name == name; });
  }
  absl::StatusOr<std::optional<Group>> FindGroupByGid(uint32_t gid) override {
    return FindInGroups([&](const group& entry) { return entry.gr_gid == gid; });
  }

  absl::Status AddGroup(const Group& group) override {
    return RunTool({"groupadd", "-g", absl::StrCat(group.gid), "--", group.name});
  }
  absl::Status RemoveGroup(const std::string& name) override {
    return RunTool({"groupdel", "--", name});
  }
  absl::Status AddUser(const User& user) override {
    // -M no home, -N no group, -l no entry in the sparse lastlog; no subordinate ids either, which
    // hosting accounts do not need and which would run out.
    return RunTool({"useradd", "-M", "-N", "-l", "-K", "SUB_UID_COUNT=0", "-K", "SUB_GID_COUNT=0",
                    "-u", absl::StrCat(user.uid), "-g", absl::StrCat(user.gid), "-d", user.home,
                    "-s", user.shell, "--", user.name});
  }
  absl::Status RemoveUser(const std::string& name) override {
    return RunTool({"userdel", "--", name});  // never -r: the home is the file server's affair
  }
  absl::Status SetHome(const std::string& name, const std::string& home) override {
    return RunTool({"usermod", "-d", home, "--", name});
  }
  absl::Status SetShell(const std::string& name, const std::string& shell) override {
    return RunTool({"usermod", "-s", shell, "--", name});
  }
  absl::Status Lock(const std::string& name) override {
    return RunTool({"usermod", "-L", "--", name});
  }
  absl::Status Unlock(const std::string& name) override {
    return RunTool({"usermod", "-U", "--", name});
  }

  absl::StatusOr<int> EndProcesses(uint32_t uid) override {
    if (uid < kLowestUid) {
      return MakeError(absl::StatusCode::kPermissionDenied, Reason::kNotAllowedByPolicy,
                       absl::StrCat("processes of uid ", uid, " are never killed"));
    }
    std::vector<pid_t> left = ProcessesOf(uid);
    const int count = static_cast<int>(left.size());
    const absl::Time deadline = absl::Now() + kKillPatience;
    // Again and again: a process may have forked since /proc was read.
    while (!left.empty() && absl::Now() < deadline) {
      for (const pid_t pid : left) kill(pid, SIGKILL);
      absl::SleepFor(absl::Milliseconds(50));
      left = ProcessesOf(uid);
    }
    if (left.empty()) return count;
    return WithEvidence(MakeError(absl::StatusCode::kUnavailable, Reason::kShareUnresponsive,
                                  absl::StrCat(left.size(), " processes of uid ", uid,
                                               " cannot be killed; they wait in the kernel")),
                        "pid", absl::StrCat(left.front()));
  }

 private:
  static User UserOf(const passwd& entry) {
    return {entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir, entry.pw_shell, true};
  }
  // The local files, not getpwnam: what a directory service says, the tools cannot change.
  static absl::StatusOr<std::optional<User>> Find(absl::FunctionRef<bool(const passwd&)> matches) {
    HOSTQ_ASSIGN_OR_RETURN(const File file, Open("/etc/passwd"));
    while (const passwd* entry = fgetpwent(file.get())) {
      if (!matches(*entry)) continue;
      User user = UserOf(*entry);
      HOSTQ_ASSIGN_OR_RETURN(user.locked, IsLocked(user.name));
      return std::optional<User>(std::move(user));
    }
    return std::optional<User>();
  }

  static absl::StatusOr<bool> IsLocked(const std::string& name) {
    HOSTQ_ASSIGN_OR_RETURN(const File file, Open("/etc/shadow"));
    while (const spwd* entry = fgetspent(file.get())) {
      if (entry->sp_namp == name) return entry->sp_pwdp[0] == '!' || entry->sp_pwdp[0] == '*';
    }
    return true;
  }

  static absl::StatusOr<std::optional<Group>> FindInGroups(
      absl::FunctionRef<bool(const group&)> matches) {
    HOSTQ_ASSIGN_OR_RETURN(const File file, Open("/etc/group"));
    while (const group* entry = fgetgrent(file.get())) {
      if (matches(*entry)) return std::optional<Group>({entry->gr_name, entry->gr_gid});
    }
    return std::optional<Group>();
  }
};

}  // namespace

std::unique_ptr<Users> MakeLinuxUsers() { return std::make_unique<LinuxUsers>(); }

}  // namespace hostq::agent
