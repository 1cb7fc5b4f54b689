#include "agent/host/processes.h"

#include <dirent.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <optional>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/base/clock.h"

namespace hostq::agent {
namespace {

constexpr absl::Duration kPause = absl::Milliseconds(2);

struct Process {
  pid_t pid = 0;
  pid_t parent = 0;
  bool zombie = false;
};

std::optional<Process> ReadProcess(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::string stat;
  std::getline(file, stat);
  // "PID (NAME) STATE PPID ...": the name may contain anything, so its end is the last parenthesis.
  const size_t end = stat.rfind(')');
  if (end == std::string::npos) return std::nullopt;
  const std::vector<std::string> fields = absl::StrSplit(stat.substr(end + 1), ' ');
  Process process = {pid};
  if (fields.size() < 3 || !absl::SimpleAtoi(fields[2], &process.parent)) return std::nullopt;
  process.zombie = fields[1] == "Z";
  return process;
}

std::vector<Process> AllProcesses() {
  std::vector<Process> all;
  DIR* const proc = opendir("/proc");
  if (proc == nullptr) return all;
  while (const dirent* entry = readdir(proc)) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(entry->d_name, &pid)) continue;
    if (const auto process = ReadProcess(pid)) all.push_back(*process);
  }
  closedir(proc);
  return all;
}

}  // namespace

void AdoptOrphans() { prctl(PR_SET_CHILD_SUBREAPER, 1); }

std::vector<pid_t> ChildrenOf(pid_t parent) {
  std::vector<pid_t> children;
  for (const Process& process : AllProcesses()) {
    if (process.parent == parent) children.push_back(process.pid);
  }
  return children;
}

std::vector<pid_t> DescendantsOf(pid_t ancestor) {
  std::multimap<pid_t, pid_t> children;
  for (const Process& process : AllProcesses()) {
    if (!process.zombie) children.emplace(process.parent, process.pid);
  }
  std::vector<pid_t> found = {ancestor};
  for (size_t i = 0; i < found.size(); ++i) {
    const auto [begin, end] = children.equal_range(found[i]);
    for (auto child = begin; child != end; ++child) found.push_back(child->second);
  }
  found.erase(found.begin());
  return found;
}

bool EndDescendants(absl::Duration patience) {
  const absl::Duration end = SystemClock().Monotonic() + patience;
  while (true) {
    for (const pid_t pid : DescendantsOf(getpid())) kill(pid, SIGKILL);
    pid_t reaped = 0;
    do reaped = waitpid(-1, nullptr, WNOHANG);
    while (reaped > 0);
    // An orphan is a child by the time its parent is reaped: no child means no descendant.
    if (reaped < 0) return true;
    if (SystemClock().Monotonic() >= end) return false;
    absl::SleepFor(kPause);
  }
}

}  // namespace hostq::agent
