#include "manager/cli/live.h"

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "manager/cli/exit_code.h"
#include "manager/cli/screen.h"
#include "manager/cli/words.h"

namespace hostq::cli {
namespace {

// Ages move on, and what makes no event is seen.
constexpr absl::Duration kRedraw = absl::Seconds(2);
// Not more often, whatever happens.
constexpr absl::Duration kLeast = absl::Milliseconds(250);
// How late an event is seen; a key ends the waiting at once.
constexpr absl::Duration kSlice = absl::Milliseconds(100);
// So long a manager that hangs keeps q and signals waiting.
constexpr absl::Duration kPatience = absl::Seconds(5);

// Whether something has happened in the cluster. Without the right to see events, or while the
// manager is away, nothing has: then there is the clock.
class Happenings {
 public:
  explicit Happenings(Tool& tool) : tool_(tool) {}

  bool Any() {
    const absl::Duration now = tool_.clock.Monotonic();
    if (!stream_) {
      if (now < next_try_) return false;
      v1::WatchEventsRequest request;
      request.set_from_now(true);
      stream_ = tool_.client().WatchEvents(request);
    }
    bool any = false;
    v1::Event event;
    EventStream::Next next = stream_->Wait(absl::ZeroDuration(), event);
    for (; next == EventStream::Next::kEvent; any = true) {
      next = stream_->Wait(absl::ZeroDuration(), event);
    }
    if (next == EventStream::Next::kEnd) {
      stream_.reset();
      next_try_ = now + absl::Seconds(5);
    }
    return any;
  }

 private:
  Tool& tool_;
  std::unique_ptr<EventStream> stream_;
  absl::Duration next_try_ = -absl::InfiniteDuration();
};

bool Away(const absl::Status& status) { return ExitCodeOf(status) == kUnreachable; }

}  // namespace

absl::StatusOr<int> RunLive(Tool& tool, const LiveView& view) {
  absl::StatusOr<std::unique_ptr<Screen>> opened = Screen::Open();
  if (!opened.ok()) return opened.status();
  std::unique_ptr<Screen> screen = *std::move(opened);
  tool.client().set_deadline(kPatience);
  Happenings happenings(tool);
  std::string shown;
  absl::Duration drawn = -absl::InfiniteDuration();
  bool due = true, happened = false;
  for (;;) {
    const absl::Duration now = tool.clock.Monotonic();
    due = due || now - drawn >= kRedraw || (happened && now - drawn >= kLeast);
    if (due) {
      if (tool.format != Format::kWide) tool.terminal.width = screen->width();
      tool.terminal.height = screen->height();
      const absl::StatusOr<std::string> text = view();
      if (text.ok()) {
        shown = *text;
      } else if (shown.empty() || !Away(text.status())) {
        return text.status();
      }
      const std::string away =
          text.ok() ? ""
                    : absl::StrCat(Paint(Cut("the manager does not answer; what is shown is from "
                                             "before: hostq doctor",
                                             screen->width()),
                                         Colour::kRed, tool.terminal.colour),
                                   "\n");
      screen->Draw(away + shown);
      due = happened = false;
      drawn = tool.clock.Monotonic();
    }
    char key = 0;
    switch (screen->Wait(kSlice, key)) {
      case Screen::Next::kKey:
        if (key == 'q' || key == 'Q') return kDone;
        due = key == ' ';
        break;
      case Screen::Next::kResized:
        due = true;
        break;
      case Screen::Next::kEnd: {
        const int signal_number = screen->signal_number();
        screen.reset();
        if (signal_number != 0) EndBySignal(signal_number);
        return kDone;
      }
      case Screen::Next::kNothing:
        break;
    }
    happened = happenings.Any() || happened;
  }
}

absl::StatusOr<int> RunRepeated(Tool& tool, const LiveView& view, const std::string& separator) {
  Happenings happenings(tool);
  std::string shown;
  for (;;) {
    const absl::StatusOr<std::string> text = view();
    if (!text.ok() && (shown.empty() || !Away(text.status()))) return text.status();
    if (text.ok() && *text != shown) {
      tool.Print(absl::StrCat(shown.empty() ? "" : separator, *text));
      if (!tool.Flush()) return kDone;  // whoever read it has gone
      shown = *text;
    }
    const absl::Duration asked = tool.clock.Monotonic();
    while (tool.clock.Monotonic() - asked < kRedraw) {
      absl::SleepFor(kSlice);
      if (happenings.Any()) break;
    }
  }
}

absl::StatusOr<int> Watch(Tool& tool) {
  const LiveView view = [&tool] { return tool.Capture(); };
  if (tool.terminal.interactive && tool.terminal.can_ask && !tool.document()) {
    return RunLive(tool, view);
  }
  return RunRepeated(tool, view, tool.format == Format::kYaml ? "---\n" : "\n");
}

}  // namespace hostq::cli
