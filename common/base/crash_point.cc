#include "common/base/crash_point.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace hostq::internal {
namespace {

struct Armed {
  std::string name;
  int64_t pass = 0;  // 0: nothing is armed
  std::string file;
  int signal_number = SIGKILL;
};

Armed ReadVariable(const char* variable) {
  const char* text = getenv(variable);
  if (text == nullptr) return {};
  const std::vector<std::string> parts = absl::StrSplit(text, absl::MaxSplits(':', 2));
  Armed armed;
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[1], &armed.pass) || armed.pass < 1) {
    std::fprintf(stderr, "%s: not NAME:N:FILE: %s\n", variable, text);
    return {};
  }
  armed.name = parts[0];
  armed.file = parts[2];
  return armed;
}

Armed ReadEnvironment() {
  if (Armed armed = ReadVariable("HOSTQ_CRASH_POINT"); armed.pass > 0) return armed;
  Armed armed = ReadVariable("HOSTQ_PAUSE_POINT");
  armed.signal_number = SIGSTOP;
  return armed;
}

const Armed& TheArmed() {
  static const Armed* const armed = new Armed(ReadEnvironment());
  return *armed;
}

}  // namespace

// Before main: false for what runs even earlier.
const bool kCrashPointArmed = TheArmed().pass > 0;

void PassCrashPoint(absl::string_view name) {
  const Armed& armed = TheArmed();
  if (name != armed.name) return;
  const int fd = open(armed.file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return;
  // An appending write leaves the file's offset behind its own byte: every pass has its number.
  const bool written = write(fd, "x", 1) == 1;
  const bool strike = written && lseek(fd, 0, SEEK_CUR) == armed.pass;
  close(fd);
  if (strike) raise(armed.signal_number);  // to this thread: it does not run on meanwhile
}

}  // namespace hostq::internal
