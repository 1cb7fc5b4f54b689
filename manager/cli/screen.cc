#include "manager/cli/screen.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace hostq::cli {
namespace {

// Alternate screen, no cursor, what is longer than a line is cut; and back.
constexpr absl::string_view kEnter = "\x1b[?1049h\x1b[?25l\x1b[?7l";
constexpr absl::string_view kLeave = "\x1b[?7h\x1b[?25h\x1b[?1049l";
constexpr absl::string_view kHome = "\x1b[H";
constexpr absl::string_view kClearRight = "\x1b[K";
constexpr absl::string_view kClearBelow = "\x1b[J";

sigset_t Signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal_number : {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGWINCH}) {
    sigaddset(&set, signal_number);
  }
  return set;
}

void WriteAll(absl::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // nobody sees it any more
    text.remove_prefix(static_cast<size_t>(written));
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Screen>> Screen::Open() {
  termios before{};
  if (isatty(STDOUT_FILENO) != 1 || tcgetattr(STDIN_FILENO, &before) != 0) {
    return absl::FailedPreconditionError("there is no terminal");
  }
  const sigset_t set = Signals();
  const int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0) return absl::ErrnoToStatus(errno, "signalfd");
  return std::unique_ptr<Screen>(new Screen(before, signals));
}

Screen::Screen(const termios& before, int signals) : before_(before), signals_(signals) {
  const sigset_t set = Signals();
  pthread_sigmask(SIG_BLOCK, &set, &mask_before_);
  Enter();
}

Screen::~Screen() {
  Leave();
  close(signals_);
  pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
}

void Screen::Enter() {
  termios raw = before_;
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 0;
  tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  WriteAll(kEnter);
  entered_ = true;
  Measure();
}

void Screen::Leave() {
  if (!entered_) return;
  entered_ = false;
  WriteAll(kLeave);
  tcsetattr(STDIN_FILENO, TCSANOW, &before_);
}

void Screen::Measure() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return;
  if (size.ws_col > 0) width_ = std::max<size_t>(size.ws_col, kMinWidth);
  if (size.ws_row > 0) height_ = size.ws_row;
}

void Screen::Draw(absl::string_view text) {
  std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  std::string more;
  if (lines.size() > height_) {
    more = absl::StrCat("(", lines.size() - height_ + 1, " more lines)");
    lines.resize(height_);
    lines.back() = more;
  }
  std::string out(kHome);
  // What was there goes first: behind a line as wide as the screen the cursor stands on its last
  // character.
  for (size_t i = 0; i < lines.size(); ++i) {
    absl::StrAppend(&out, i == 0 ? "" : "\r\n", i + 1 == lines.size() ? kClearBelow : kClearRight,
                    lines[i]);
  }
  WriteAll(out);
}

Screen::Next Screen::Handle(int signal_number) {
  switch (signal_number) {
    case SIGWINCH:
      Measure();
      return Next::kResized;
    case SIGTSTP:
      Leave();
      kill(getpid(), SIGSTOP);  // goes on here when it is continued
      Enter();
      return Next::kResized;
    case SIGINT:
      return Next::kEnd;
    default:
      signal_number_ = signal_number;
      return Next::kEnd;
  }
}

Screen::Next Screen::Wait(absl::Duration timeout, char& key) {
  pollfd files[] = {{signals_, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
  const int64_t milliseconds = std::max<int64_t>(absl::ToInt64Milliseconds(timeout), 0);
  if (poll(files, std::size(files), static_cast<int>(milliseconds)) <= 0) return Next::kNothing;
  signalfd_siginfo info{};
  if (read(signals_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    return Handle(static_cast<int>(info.ssi_signo));
  }
  const ssize_t got = read(STDIN_FILENO, &key, 1);
  if (got == 1) return Next::kKey;
  // The terminal is gone, and without a signal.
  return (files[1].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0 ? Next::kEnd : Next::kNothing;
}

void EndBySignal(int signal_number) {
  signal(signal_number, SIG_DFL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal_number);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  raise(signal_number);
  _exit(128 + signal_number);
}

}  // namespace hostq::cli
