#include "manager/cli/wait.h"

#include <algorithm>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "manager/cli/explain.h"
#include "manager/cli/progress.h"
#include "manager/cli/view.h"
#include "manager/cli/words.h"

namespace hostq::cli {
namespace {

// How often the ages on a terminal move on, and how late a step that makes no event is seen.
constexpr absl::Duration kTick = absl::Seconds(1);
// How often findings are asked for while nothing changes: a queued task of a node that is offline
// makes no event.
constexpr absl::Duration kExplainEvery = absl::Seconds(5);
// A manager that restarts or is upgraded is back well before that.
constexpr absl::Duration kMaxAbsence = absl::Minutes(1);

// One wait. Redraws a block of lines on a terminal, appends lines elsewhere.
class Waiter {
 public:
  Waiter(Tool& tool, const std::string& id, absl::Duration timeout)
      : tool_(tool),
        id_(id),
        timeout_(timeout),
        start_(tool.clock.Monotonic()),
        redraw_(tool.terminal.interactive && !tool.document()) {}

  absl::StatusOr<int> Run();

 private:
  absl::Duration Elapsed() const { return tool_.clock.Monotonic() - start_; }
  // Nothing: the manager is away, which is borne for a while.
  absl::StatusOr<std::optional<v1::Command>> Look();
  void Show(const v1::Command& command);
  void Announce(const v1::Command& command, bool changed);
  void EraseBlock();
  // Until an event of the command, or a tick.
  void Sleep();

  Tool& tool_;
  const std::string id_;
  const absl::Duration timeout_;
  const absl::Duration start_;
  const bool redraw_;
  std::unique_ptr<EventStream> events_;
  int64_t last_sequence_ = 0;
  v1::Command shown_;
  size_t block_lines_ = 0;
  absl::Duration explained_ = absl::ZeroDuration();
  std::optional<absl::Duration> away_since_;
  std::set<std::string> announced_;
};

absl::StatusOr<std::optional<v1::Command>> Waiter::Look() {
  absl::StatusOr<v1::Command> command = tool_.client().GetCommand(id_);
  if (command.ok()) {
    if (away_since_) tool_.Note("the manager is back");
    away_since_.reset();
    return std::optional<v1::Command>(*std::move(command));
  }
  if (ExitCodeOf(command.status()) != kUnreachable || shown_.id().empty()) return command.status();
  if (!away_since_) {
    EraseBlock();
    tool_.Note("the manager does not answer; the nodes go on, waiting for it ...");
    away_since_ = Elapsed();
  }
  if (Elapsed() - *away_since_ > kMaxAbsence) return command.status();
  return std::optional<v1::Command>();
}

void Waiter::EraseBlock() {
  if (block_lines_ > 0) tool_.Print(absl::StrCat("\x1b[", block_lines_, "A\r\x1b[J"));
  block_lines_ = 0;
}

void Waiter::Show(const v1::Command& command) {
  const View view = MakeView(tool_);
  if (shown_.id().empty()) {
    tool_.Print(absl::StrCat(Clean(command.id()), "  ", TitleOf(command), ", by ",
                             Clean(command.actor()), "\n"));
  }
  const std::vector<std::string> changes = DescribeChanges(shown_, command, view);
  EraseBlock();
  if (!redraw_ && !tool_.document()) {
    for (const std::string& line : changes) tool_.Print(line + "\n");
  }
  Announce(command, !changes.empty());
  if (redraw_) {
    const size_t room = tool_.terminal.height > 4 ? tool_.terminal.height - 3 : 1;
    for (const std::string& line : RenderProgress(command, room, view)) {
      tool_.Print(line + "\n");
      ++block_lines_;
    }
  }
  tool_.Flush();
  shown_ = command;
}

void Waiter::Announce(const v1::Command& command, bool changed) {
  if (tool_.document() || command.state() != v1::Command::ACTIVE) return;
  if (!changed && Elapsed() - explained_ < kExplainEvery) return;
  explained_ = Elapsed();
  const auto response = tool_.client().ExplainCommand(id_);
  if (!response.ok()) return;  // the next look tells
  for (const v1::Finding& finding : response->findings()) {
    if (!finding.stuck()) continue;
    const std::string what =
        absl::StrCat(finding.node(), " ", finding.reason(), " ", finding.cause());
    if (!announced_.insert(what).second) continue;
    tool_.Print(absl::StrCat("\n", RenderFinding(finding, MakeView(tool_)), "\n"));
  }
}

void Waiter::Sleep() {
  if (!events_ && !away_since_) {
    v1::WatchEventsRequest request;
    request.set_command_id(id_);
    request.set_since_sequence(last_sequence_);
    request.set_from_now(last_sequence_ == 0);
    events_ = tool_.client().WatchEvents(request);
  }
  const absl::Duration pause = std::min(kTick, timeout_ - Elapsed());
  if (pause <= absl::ZeroDuration()) return;
  v1::Event event;
  if (!events_) {
    absl::SleepFor(pause);
    return;
  }
  // Everything that has come is one look.
  EventStream::Next next = events_->Wait(pause, event);
  while (next == EventStream::Next::kEvent) {
    last_sequence_ = event.sequence();
    next = events_->Wait(absl::ZeroDuration(), event);
  }
  if (next == EventStream::Next::kEnd) {
    events_.reset();
    // Without events there are still the looks.
    absl::SleepFor(pause);
  }
}

absl::StatusOr<int> Waiter::Run() {
  for (;;) {
    absl::StatusOr<std::optional<v1::Command>> command = Look();
    if (!command.ok()) return command.status();
    if (*command) {
      if (!tool_.document()) Show(**command);
      shown_ = **command;
    }
    const bool finished = shown_.state() != v1::Command::ACTIVE;
    if (finished || Elapsed() >= timeout_) {
      if (tool_.document()) {
        tool_.PrintDocument(shown_);
      } else {
        tool_.Print(finished ? RenderSummary(shown_, MakeView(tool_))
                             : RenderTimeout(shown_, timeout_));
      }
      if (!finished) return kTimedOut;
      return shown_.state() == v1::Command::SUCCEEDED ? kDone : kCommandFailed;
    }
    Sleep();
  }
}

}  // namespace

absl::StatusOr<int> WaitForCommand(Tool& tool, const std::string& id, absl::Duration timeout) {
  return Waiter(tool, id, timeout).Run();
}

}  // namespace hostq::cli
