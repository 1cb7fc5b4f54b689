#include "manager/cli/progress.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/text.h"
#include "manager/cli/table.h"
#include "manager/cli/words.h"

namespace hostq::cli {
namespace {

// What a task is doing or why it is not: "quota", "QUOTA_MISMATCH: ...; tried again in 8s".
std::string Activity(const v1::Task& task, absl::Time now) {
  std::string out;
  if (task.phase() == v1::Task::RUNNING) {
    out = Clean(task.current_step());
  } else if (task.phase() == v1::Task::LEASED || task.phase() == v1::Task::ACCEPTED) {
    // What the attempt before this one failed with is no news any more.
  } else if (task.outcome() != v1::Task::SUCCEEDED) {
    out = ReasonText(task.reason());
    if (!task.message().empty()) {
      absl::StrAppend(&out, out.empty() ? "" : ": ", Clean(task.message()));
    }
  }
  if (task.phase() == v1::Task::BACKING_OFF && task.next_attempt_time().seconds() != 0) {
    absl::StrAppend(&out, out.empty() ? "" : "; ", "tried again in ",
                    FormatAge(ToTime(task.next_attempt_time()) - now));
  }
  return out;
}

std::string AttemptText(const v1::Task& task) {
  return task.attempt() == 0 ? "" : absl::StrCat(task.attempt());
}

size_t NodeWidth(const v1::Command& command) {
  size_t width = 0;
  for (const v1::Task& task : command.tasks()) {
    width = std::max(width, DisplayWidth(Clean(task.node())));
  }
  return width;
}

// "web1  RUNNING    3s  quota".
std::string ProgressLine(const v1::Task& task, size_t node_width, bool with_age, const View& view) {
  const std::string head = absl::StrCat(PadRight(Clean(task.node()), node_width), "  ");
  const std::string state = StateText(task);
  std::string tail(state.size() < 11 ? 11 - state.size() : 0, ' ');
  if (with_age) {
    const std::string age = IsFinished(task) ? "" : AgeOf(task.phase_time(), view.now);
    absl::StrAppend(&tail, "  ", PadLeft(age, 6));
  }
  absl::StrAppend(&tail, "  ", Activity(task, view.now));
  while (!tail.empty() && tail.back() == ' ') tail.pop_back();
  const size_t used = DisplayWidth(head) + state.size();
  if (view.width > used) tail = Cut(tail, view.width - used);
  return absl::StrCat(head, Paint(state, ColourOf(task), view.colour), tail);
}

std::string DurationText(int64_t micros) {
  if (micros < 1000) return absl::StrCat(micros, "us");
  if (micros < 1'000'000) return absl::StrCat(micros / 1000, "ms");
  if (micros < 60'000'000) return absl::StrFormat("%.1fs", static_cast<double>(micros) / 1e6);
  return FormatAge(absl::Microseconds(micros));
}

std::string StepResult(const v1::Step& step) {
  std::string out = step.changed() ? "changed" : "was right already";
  if (step.skipped()) out = "skipped";
  if (step.reason() != v1::Reason::CODE_UNSPECIFIED) {
    out = absl::StrCat(step.warning() ? "warning " : "", ReasonText(step.reason()));
  }
  if (!step.message().empty()) absl::StrAppend(&out, ": ", Clean(step.message()));
  const std::map<std::string, std::string> evidence(step.evidence().begin(), step.evidence().end());
  for (const auto& [name, value] : evidence) {
    absl::StrAppend(&out, " ", Clean(name), "=", Clean(value));
  }
  return out;
}

Colour ColourOf(const v1::Step& step) {
  if (step.skipped()) return Colour::kDim;
  if (step.reason() == v1::Reason::CODE_UNSPECIFIED) return Colour::kNone;
  return step.warning() ? Colour::kYellow : Colour::kRed;
}

// An attempt that the node has not begun, as far as is known: "sent at 2026-11-23 01:47:15 (3s
// ago)".
std::string NotStarted(const v1::Task& task, const View& view) {
  const std::string when = absl::StrCat(" at ", TimeText(task.phase_time(), view.zone), " (",
                                        AgeOf(task.phase_time(), view.now), " ago)");
  if (task.phase() == v1::Task::LEASED) return absl::StrCat("sent", when);
  if (task.phase() == v1::Task::ACCEPTED) return absl::StrCat("accepted", when);
  return "sent; what became of it is not known";
}

std::string RenderAttempt(const v1::Task& task, const v1::Attempt& attempt, const View& view) {
  std::string out = absl::StrCat("\n", Paint(Clean(task.node()), Colour::kBold, view.colour),
                                 ", attempt ", attempt.number());
  if (attempt.start_time().seconds() != 0) {
    absl::StrAppend(&out, " at ", TimeText(attempt.start_time(), view.zone));
  }
  const bool started = attempt.start_time().seconds() != 0;
  const bool ended = attempt.finish_time().seconds() != 0;
  const absl::Duration took =
      (ended ? ToTime(attempt.finish_time()) : view.now) - ToTime(attempt.start_time());
  std::string result = !ended ? "runs" : "succeeded";
  Colour colour = ended ? Colour::kGreen : Colour::kNone;
  if (attempt.reason() != v1::Reason::CODE_UNSPECIFIED) {
    result = ReasonText(attempt.reason());
    colour = Colour::kRed;
  }
  if (!started && !ended) {
    result = NotStarted(task, view);
  } else if (started) {
    absl::StrAppend(&result, ended ? " after " : " since ",
                    DurationText(absl::ToInt64Microseconds(took)));
  }
  absl::StrAppend(&out, ": ", Paint(result, colour, view.colour), "\n");
  if (!attempt.message().empty()) {
    for (const std::string& line : Wrap(Clean(attempt.message()), view.prose_width - 2)) {
      absl::StrAppend(&out, "  ", line, "\n");
    }
  }
  Table table({{"STEP", Table::Fit::kCut},
               {"TIME", Table::Fit::kKeep, true},
               {"RESULT", Table::Fit::kWrap}});
  for (const v1::Step& step : attempt.steps()) {
    table.AddRow(
        {Clean(step.name()), DurationText(step.duration_us()), {StepResult(step), ColourOf(step)}});
  }
  if (!table.empty()) out += table.Render(view.width, view.colour, 2);
  return out;
}

int CountOf(const v1::Command::Parts& parts) {
  return parts.active() + parts.succeeded() + parts.failed() + parts.cancelled() +
         parts.superseded();
}

std::string Next(const v1::Command& command, absl::string_view verb) {
  return absl::StrCat("hostq ", verb, " ", Clean(command.id()));
}

}  // namespace

std::string PartsText(const v1::Command::Parts& parts) {
  const int all = CountOf(parts);
  std::string out =
      absl::StrCat(all - parts.active(), " of ", all, all == 1 ? " part" : " parts", " ended");
  if (parts.failed() > 0) absl::StrAppend(&out, ", ", parts.failed(), " failed");
  if (parts.cancelled() > 0) absl::StrAppend(&out, ", ", parts.cancelled(), " cancelled");
  return out;
}

std::vector<std::string> RenderProgress(const v1::Command& command, size_t max_lines,
                                        const View& view) {
  const size_t node_width = NodeWidth(command);
  const auto tasks = static_cast<size_t>(command.tasks_size());
  const bool all = tasks <= max_lines;
  std::vector<std::string> lines;
  for (const v1::Task& task : command.tasks()) {
    if (lines.size() >= max_lines) break;
    if (all || !IsFinished(task))
      lines.push_back(ProgressLine(task, node_width, /*with_age=*/true, view));
  }
  if (command.state() != v1::Command::ACTIVE) return lines;
  const std::string count = absl::StrCat(
      CountText(command), ", ", command.has_parts() ? PartsText(command.parts()) + ", " : "",
      AgeOf(command.create_time(), view.now), "; Ctrl-C ends the waiting, not the work");
  lines.push_back(
      Paint(view.width == 0 ? count : Cut(count, view.width), Colour::kDim, view.colour));
  return lines;
}

std::vector<std::string> DescribeChanges(const v1::Command& before, const v1::Command& after,
                                         const View& view) {
  std::map<std::string, const v1::Task*> known;
  for (const v1::Task& task : before.tasks()) known[task.node()] = &task;
  const size_t node_width = NodeWidth(after);
  View unlimited = view;
  unlimited.width = 0;
  std::vector<std::string> lines;
  for (const v1::Task& task : after.tasks()) {
    const auto found = known.find(task.node());
    if (found != known.end()) {
      const v1::Task& old = *found->second;
      if (old.phase() == task.phase() && old.outcome() == task.outcome() &&
          old.attempt() == task.attempt() && old.reason() == task.reason() &&
          old.current_step() == task.current_step()) {
        continue;
      }
    }
    lines.push_back(absl::StrCat(PadLeft(AgeOf(after.create_time(), view.now), 6), "  ",
                                 ProgressLine(task, node_width, /*with_age=*/false, unlimited)));
  }
  const bool parts_moved = CountOf(after.parts()) != after.parts().active() &&
                           before.parts().active() != after.parts().active();
  if (parts_moved) {
    lines.push_back(absl::StrCat(PadLeft(AgeOf(after.create_time(), view.now), 6), "  ",
                                 PartsText(after.parts())));
  }
  return lines;
}

std::string RenderSummary(const v1::Command& command, const View& view) {
  const absl::Duration took = ToTime(command.finish_time()) - ToTime(command.create_time());
  std::string out = absl::StrCat(
      Paint(StateText(command), ColourOf(command), view.colour), "  ", TitleOf(command),
      command.finish_time().seconds() != 0 ? absl::StrCat(" in ", FormatAge(took)) : "", " (",
      Clean(command.id()), ")\n");
  if (command.state() == v1::Command::SUCCEEDED) return out;
  for (const v1::Task& task : command.tasks()) {
    if (task.outcome() == v1::Task::SUCCEEDED) continue;
    std::string text = absl::StrCat(Clean(task.node()), " ", StateText(task));
    const std::string why = Activity(task, view.now);
    if (!why.empty()) absl::StrAppend(&text, ", ", why);
    for (const std::string& line : Wrap(text, view.prose_width - 2)) {
      absl::StrAppend(&out, "  ", line, "\n");
    }
  }
  if (command.has_parts()) absl::StrAppend(&out, "  ", PartsText(command.parts()), "\n");
  absl::StrAppend(&out, "what happened: ",
                  command.has_parts() ? Next(command, "command list --all --part-of")
                                      : Next(command, "explain"),
                  "\n");
  return out;
}

std::string RenderTimeout(const v1::Command& command, absl::Duration timeout) {
  return absl::StrCat("not finished after ", FormatAge(timeout), " (", CountText(command),
                      "); the work goes on.\n", "why it takes so long: ", Next(command, "explain"),
                      "\n", "wait on:              ", Next(command, "command watch"), "\n");
}

std::string RenderTasks(const v1::Command& command, const View& view) {
  Table table({{"NODE", Table::Fit::kCut},
               {"STATE"},
               {"STAGE", Table::Fit::kKeep, true},
               {"ATTEMPT", Table::Fit::kKeep, true},
               {"SINCE", Table::Fit::kKeep, true},
               {"NOW", Table::Fit::kWrap}});
  for (const v1::Task& task : command.tasks()) {
    table.AddRow({Clean(task.node()),
                  {StateText(task), ColourOf(task)},
                  absl::StrCat(task.stage()),
                  AttemptText(task),
                  AgeOf(task.phase_time(), view.now),
                  Activity(task, view.now)});
  }
  return table.Render(view.width, view.colour);
}

std::string RenderCancellation(const v1::Command& command, const std::vector<v1::Node>& nodes,
                               const View& view) {
  const bool active = command.state() == v1::Command::ACTIVE;
  std::string out =
      absl::StrCat(Clean(command.id()), "  ", TitleOf(command), ": ",
                   Paint(active ? "not all of it is cancelled yet" : StateText(command),
                         active ? Colour::kYellow : Colour::kNone, view.colour),
                   "\n");
  Table table({{"", Table::Fit::kCut}, {""}, {"", Table::Fit::kWrap}});
  for (const v1::Task& task : command.tasks()) {
    std::string what = task.outcome() == v1::Task::CANCELLED ? "" : "had ended before";
    if (!IsFinished(task)) {
      what = task.phase() == v1::Task::RUNNING
                 ? "the node has begun it: it ends after the step it is in"
                 : "the node was asked to drop it and has not answered yet";
      for (const v1::Node& node : nodes) {
        if (node.name() != task.node() || node.state() != v1::Node::OFFLINE) continue;
        absl::StrAppend(&what, "; it has been offline for ", AgeOf(node.state_time(), view.now),
                        " and must come back");
      }
    }
    table.AddRow({{Clean(task.node()), Colour::kBold}, {StateText(task), ColourOf(task)}, what});
  }
  out += table.Render(view.width, view.colour, 2);
  if (command.has_parts()) absl::StrAppend(&out, "  ", PartsText(command.parts()), "\n");
  if (active) absl::StrAppend(&out, "what it waits for: ", Next(command, "explain"), "\n");
  return out;
}

std::string RenderCommand(const v1::Command& command, const View& view) {
  const std::string age = AgeOf(command.create_time(), view.now);
  Table head({{"", Table::Fit::kKeep}, {"", Table::Fit::kWrap}});
  head.AddRow({"Command", {Clean(command.id()), Colour::kBold}});
  head.AddRow({"What", TitleOf(command)});
  head.AddRow({"Parameters", SpecText(command.spec())});
  head.AddRow({"State", {StateText(command), ColourOf(command)}});
  if (!command.part_of().empty()) {
    head.AddRow(
        {"Part of", absl::StrCat(Clean(command.part_of()), ", stage ", command.part_stage())});
  }
  if (command.has_parts()) {
    head.AddRow({"Parts", absl::StrCat(PartsText(command.parts()), ": ",
                                       Next(command, "command list --all --part-of"))});
  }
  head.AddRow({"Submitted", absl::StrCat(TimeText(command.create_time(), view.zone), " (", age,
                                         " ago) by ", Clean(command.actor()))});
  if (!command.request_id().empty()) head.AddRow({"Request id", Clean(command.request_id())});
  if (command.finish_time().seconds() != 0) {
    head.AddRow({"Finished", absl::StrCat(TimeText(command.finish_time(), view.zone), ", after ",
                                          FormatAge(ToTime(command.finish_time()) -
                                                    ToTime(command.create_time())))});
  }
  std::string out =
      absl::StrCat(head.Render(view.width, view.colour), "\n", RenderTasks(command, view));
  for (const v1::Task& task : command.tasks()) {
    for (const v1::Attempt& attempt : task.attempts()) out += RenderAttempt(task, attempt, view);
  }
  if (std::any_of(command.tasks().begin(), command.tasks().end(), IsTroubled)) {
    absl::StrAppend(&out, "\nwhy it does not move: ", Next(command, "explain"), "\n");
  }
  return out;
}

}  // namespace hostq::cli
