#include "agent/executor/running_steps.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/log/log.h"

namespace hostq::agent {
namespace {

// The fields of proc_pid_stat(5) after the name: state, parent, group, ... None if there is no such
// process, or only its status is left.
std::vector<std::string> StatOf(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::string stat;
  std::getline(file, stat);
  // The second field, a name in parentheses, may contain anything.
  const size_t end = stat.rfind(')');
  if (end == std::string::npos) return {};
  std::vector<std::string> fields = absl::StrSplit(stat.substr(end + 1), ' ', absl::SkipEmpty());
  if (fields.size() < 20 || fields[0] == "Z") return {};
  return fields;
}

// Field 22. Empty as above.
std::string StartTimeOf(pid_t pid) {
  const std::vector<std::string> fields = StatOf(pid);
  return fields.empty() ? "" : fields[19];
}

// A process of the group that lives; 0: none.
pid_t MemberOf(pid_t group) {
  if (kill(-group, 0) != 0 && errno == ESRCH) return 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
    const std::vector<std::string> fields = StatOf(pid);
    if (!fields.empty() && fields[2] == absl::StrCat(group)) return pid;
  }
  return 0;
}

}  // namespace

std::string RunningSteps::FileOf(pid_t pid) const { return absl::StrCat(directory_, "/", pid); }

void RunningSteps::Add(pid_t pid, const std::string& resource_key) const {
  if (directory_.empty()) return;
  std::error_code error;
  std::filesystem::create_directory(directory_, error);
  std::ofstream file(FileOf(pid), std::ios::trunc);
  file << StartTimeOf(pid) << "\n" << resource_key << "\n";
  file.flush();
  if (!file) LogWarning("a running step cannot be written down", {{"file", FileOf(pid)}});
}

void RunningSteps::Remove(pid_t pid) const {
  if (!directory_.empty()) unlink(FileOf(pid).c_str());
}

std::vector<RunningSteps::Process> RunningSteps::Left() const {
  std::vector<Process> left;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory_, error)) {
    Process process;
    std::ifstream file(entry.path());
    std::getline(file, process.start_time);
    std::getline(file, process.resource_key);
    const bool named = absl::SimpleAtoi(entry.path().filename().string(), &process.pid);
    if (!named || process.resource_key.empty()) {
      unlink(entry.path().c_str());
    } else if (!HasEnded(process)) {
      left.push_back(std::move(process));
    }
  }
  return left;
}

pid_t RunningSteps::HolderOf(const Process& process) {
  const std::string start_time = StartTimeOf(process.pid);
  // Another one's, if it has the number since: numbers of groups that live are not given again.
  if (!start_time.empty()) return start_time == process.start_time ? process.pid : 0;
  return MemberOf(process.pid);
}

bool RunningSteps::HasEnded(const Process& process) const {
  if (HolderOf(process) != 0) return false;
  Remove(process.pid);
  return true;
}

}  // namespace hostq::agent
