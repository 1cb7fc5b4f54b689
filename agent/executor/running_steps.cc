#include "agent/executor/running_steps.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/log/log.h"

namespace hostq::agent {
namespace {

// Field 22 of proc_pid_stat(5). Empty if there is no such process, or only its status is left.
std::string StartTimeOf(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::string stat;
  std::getline(file, stat);
  // The second field, a name in parentheses, may contain anything.
  const size_t end = stat.rfind(')');
  if (end == std::string::npos) return "";
  const std::vector<std::string> fields = absl::StrSplit(stat.substr(end + 1), ' ');
  constexpr size_t kState = 1, kStartTime = 20;  // after the name
  return fields.size() > kStartTime && fields[kState] != "Z" ? fields[kStartTime] : "";
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

bool RunningSteps::HasEnded(const Process& process) const {
  const std::string start_time = StartTimeOf(process.pid);
  if (!start_time.empty() && start_time == process.start_time) return false;
  Remove(process.pid);
  return true;
}

}  // namespace hostq::agent
