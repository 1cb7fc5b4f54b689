#include <algorithm>
#include <deque>

#include "absl/time/clock.h"
#include "manager/cli/event_view.h"
#include "manager/cli/groups.h"
#include "manager/cli/options.h"
#include "manager/cli/target.h"
#include "manager/cli/view.h"

namespace hostq::cli {
namespace {

// A manager that restarts or is upgraded is back well before that.
constexpr absl::Duration kMaxAbsence = absl::Minutes(1);

struct EventOptions {
  bool follow = false;
  int64_t since = -1;  // not given
  int limit = 100;
  std::string command;
  std::string node;
};

void PrintEvent(Tool& tool, const v1::Event& event) {
  if (tool.document()) {
    tool.PrintOneOfMany(event);
  } else {
    tool.Print(RenderEvent(event, MakeView(tool)));
  }
}

// Prints what comes. In `newest` mode only the last ones, when the stream ends.
absl::Status Drain(Tool& tool, EventStream& stream, const EventOptions& options, bool newest,
                   int64_t& last) {
  std::deque<v1::Event> kept;
  v1::Event event;
  EventStream::Next next;
  while ((next = stream.Wait(absl::Seconds(1), event)) != EventStream::Next::kEnd) {
    if (next == EventStream::Next::kNothingYet) {
      if (!tool.Flush()) return absl::OkStatus();
      continue;
    }
    last = event.sequence();
    if (!newest) {
      PrintEvent(tool, event);
      if (options.follow) tool.Flush();
      continue;
    }
    kept.push_back(event);
    if (kept.size() > static_cast<size_t>(options.limit)) kept.pop_front();
  }
  for (const v1::Event& one : kept) PrintEvent(tool, one);
  return stream.Finish();
}

absl::StatusOr<int> Events(Tool& tool, const EventOptions& options) {
  const bool newest = options.since < 0 && !options.follow;
  v1::WatchEventsRequest request;
  request.set_since_sequence(std::max<int64_t>(options.since, 0));
  request.set_from_now(options.since < 0 && options.follow);
  request.set_no_follow(!options.follow);
  request.set_command_id(SplitTask(options.command).command);
  request.set_node(options.node);
  int64_t last = -1;
  absl::Time answered = tool.now();
  for (;;) {
    const int64_t before = last;
    const auto stream = tool.client().WatchEvents(request);
    const absl::Status status = Drain(tool, *stream, options, newest, last);
    if (!options.follow || ExitCodeOf(status) != kUnreachable) {
      if (!status.ok()) return status;
      return kDone;
    }
    // A manager that was never there is an error at once; one that went away is waited for.
    if (last != before) answered = tool.now();
    if (last < 0 || tool.now() - answered > kMaxAbsence) return status;
    if (last != before) tool.Note("the manager does not answer; waiting for it ...");
    request.set_from_now(false);
    request.set_since_sequence(last);
    absl::SleepFor(absl::Seconds(1));
  }
}

}  // namespace

void AddEventCommands(CLI::App& root, Tool& tool) {
  auto options = std::make_shared<EventOptions>();
  CLI::App& events =
      AddLeaf(root, "events", "what happened, in order: every change of a task or a node",
              "hostq events --follow\n"
              "hostq events --since 0 --command 01jd4n7zq8w3x\n"
              "hostq events --follow --since 4711 --output json");
  events.add_flag("--follow", options->follow, "stay and show new ones as they come");
  events
      .add_option("--since", options->since,
                  "all after this sequence number; 0: from the beginning")
      ->type_name("SEQ")
      ->check(CLI::NonNegativeNumber.description(""));
  events.add_option("--limit", options->limit, "without --since: the last so many (default 100)")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000).description(""));
  AddText(events, "--command", options->command, "ID", "only those of this command");
  AddText(events, "--node", options->node, "NODE", "only those of this node");
  OnRun(events, tool, options, Events);
}

}  // namespace hostq::cli
