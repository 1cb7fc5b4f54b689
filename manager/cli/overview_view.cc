#include "manager/cli/overview_view.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/text.h"
#include "manager/cli/node_view.h"
#include "manager/cli/table.h"
#include "manager/cli/words.h"

namespace hostq::cli {
namespace {

std::string Plural(int64_t n, absl::string_view what) {
  return absl::StrCat(n, " ", what, n == 1 ? "" : "s");
}

template <typename Names>
std::string NamesText(const Names& names, int64_t count) {
  std::string out = absl::StrJoin(names, ", ", [](std::string* to, const std::string& name) {
    absl::StrAppend(to, Clean(name));
  });
  const int64_t more = count - static_cast<int64_t>(names.size());
  if (more > 0) absl::StrAppend(&out, " and ", more, " more");
  return out;
}

std::string NodesText(const v1::Overview& overview) {
  std::vector<std::string> parts;
  for (const v1::NodeCount& count : overview.nodes()) {
    v1::Node node;
    node.set_state(count.state());
    std::string part = absl::StrCat(count.count(), " ", StateText(node));
    // Which are well is not the question.
    if (count.state() != v1::Node::READY) {
      absl::StrAppend(&part, " (", NamesText(count.names(), count.count()), ")");
    }
    parts.push_back(std::move(part));
  }
  return parts.empty() ? "none yet: hostq node add --help" : absl::StrJoin(parts, ", ");
}

std::string TasksText(const v1::Overview& overview, const View& view) {
  std::vector<std::string> parts;
  for (const v1::PhaseCount& count : overview.phases()) {
    v1::Task task;
    task.set_phase(count.phase());
    parts.push_back(absl::StrCat(count.count(), " ", StateText(task), " (oldest ",
                                 AgeOf(count.oldest_time(), view.now), ")"));
  }
  return parts.empty() ? "nothing waits, nothing runs" : absl::StrJoin(parts, ", ");
}

std::string ThroughputText(const v1::Throughput& one) {
  std::string out = absl::StrCat(Plural(one.commands_accepted(), "command"), " accepted, ",
                                 Plural(one.tasks_finished(), "task"), " finished");
  if (one.tasks_failed() > 0) absl::StrAppend(&out, ", ", one.tasks_failed(), " of them failed");
  return out;
}

std::string Head(const v1::Overview& overview, const View& view) {
  const v1::ManagerState& manager = overview.manager();
  Table table({{""}, {"", Table::Fit::kWrap}});
  table.AddRow({"Cluster", {Clean(manager.cluster()), Colour::kBold}});
  table.AddRow({"Manager", absl::StrCat(Clean(manager.version()), ", up ",
                                        AgeOf(manager.start_time(), view.now))});
  if (!manager.store_ok()) {
    table.AddRow(
        {"Database",
         {absl::StrCat("cannot be written for ", AgeOf(manager.store_failed_time(), view.now), ": ",
                       Clean(manager.store_message())),
          Colour::kRed}});
  }
  table.AddRow({"Nodes", NodesText(overview)});
  table.AddRow({"Tasks", TasksText(overview, view)});
  table.AddRow({"Active", Plural(overview.active_commands(), "command")});
  table.AddRow({"Last minute", ThroughputText(overview.last_minute())});
  table.AddRow({"Last hour", ThroughputText(overview.last_hour())});
  if (overview.alarms() > 0) {
    table.AddRow(
        {"Alarms", {absl::StrCat(overview.alarms(), ": hostq alarm list"), Colour::kYellow}});
  }
  if (overview.pauses() > 0) {
    table.AddRow(
        {"Paused", {absl::StrCat(overview.pauses(), ": hostq command pauses"), Colour::kYellow}});
  }
  return table.Render(view.width, view.colour);
}

// "5", or "5 + 12" with those that wait behind them.
std::string CauseTasks(const v1::Cause& cause) {
  if (cause.task_count() + cause.waiting_count() == 0) return "";
  return cause.waiting_count() == 0
             ? absl::StrCat(cause.task_count())
             : absl::StrCat(cause.task_count(), " + ", cause.waiting_count());
}

std::string Causes(const v1::Overview& overview, const View& view) {
  if (overview.causes().empty()) {
    return Paint("Nothing is stuck.", Colour::kGreen, view.colour) + "\n";
  }
  const int64_t causes = overview.causes_size() + overview.causes_left_out();
  std::string out = absl::StrCat(
      Paint(absl::StrCat("Stuck: ", Plural(causes, "cause")), Colour::kRed, view.colour),
      "; see: hostq stuck\n");
  Table table({{"REASON"},
               {"WHERE", Table::Fit::kCut},
               {"TASKS", Table::Fit::kKeep, true},
               {"SINCE", Table::Fit::kKeep, true},
               {"NODES", Table::Fit::kCut},
               {"MUST ACT", Table::Fit::kCut}});
  for (const v1::Cause& cause : overview.causes()) {
    const bool of_node = cause.owner() == v1::Finding::NODE || cause.owner() == v1::Finding::AGENT;
    table.AddRow({{ReasonText(cause.reason()), Colour::kBold},
                  cause.subject().empty() ? "manager" : Clean(cause.subject()),
                  CauseTasks(cause),
                  AgeOf(cause.since_time(), view.now),
                  NamesText(cause.nodes(), cause.node_count()),
                  OwnerShort(cause.owner(), of_node ? Clean(cause.subject()) : "")});
  }
  out += table.Render(view.width, view.colour, 2);
  if (overview.causes_left_out() > 0) {
    absl::StrAppend(&out, "  and ", overview.causes_left_out(), " more\n");
  }
  return out;
}

std::string NodesNotReady(const v1::ListNodesResponse& nodes, const View& view) {
  v1::ListNodesResponse rest;
  for (const v1::Node& node : nodes.nodes()) {
    if (node.state() != v1::Node::READY || node.tasks_queued() > 0 || node.tasks_in_flight() > 0) {
      *rest.add_nodes() = node;
    }
  }
  if (rest.nodes().empty()) return "";
  return absl::StrCat(Paint("Nodes at work, or not ready", Colour::kBold, view.colour), "\n",
                      RenderNodes(rest, view));
}

std::string InFlight(const v1::Overview& overview, const View& view) {
  if (overview.in_flight().empty()) return "";
  Table table({{"NODE", Table::Fit::kCut},
               {"STATE"},
               {"FOR", Table::Fit::kKeep, true},
               {"COMMAND"},
               {"WHAT", Table::Fit::kCut},
               {"STEP", Table::Fit::kCut}});
  for (const v1::TaskInFlight& one : overview.in_flight()) {
    v1::Task task;
    task.set_phase(one.phase());
    table.AddRow({Clean(one.node()),
                  {StateText(task), ColourOf(task)},
                  AgeOf(one.phase_time(), view.now),
                  Clean(one.command_id()),
                  absl::StrCat(Clean(one.kind()), " ", Clean(one.resource_key())),
                  Clean(one.current_step())});
  }
  return absl::StrCat(Paint("With the nodes", Colour::kBold, view.colour), "\n",
                      table.Render(view.width, view.colour));
}

// The first `room` lines; the last of them says how many more there are. Every line ends with a
// line feed.
std::string FirstLines(const std::string& text, size_t room) {
  std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  if (lines.size() <= room) return text;
  const size_t kept = room == 0 ? 0 : room - 1;
  const size_t more = lines.size() - kept;
  lines.resize(kept);
  std::string out;
  for (const absl::string_view line : lines) absl::StrAppend(&out, line, "\n");
  if (room > 0) absl::StrAppend(&out, "(", more, " more lines)\n");
  return out;
}

size_t CountLines(const std::string& text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

std::string RenderOverview(const v1::Overview& overview, const View& view) {
  return absl::StrCat(Head(overview, view), "\n", Causes(overview, view));
}

std::string RenderTop(const TopFacts& facts, size_t height, const View& view) {
  const std::string sections[] = {Causes(facts.overview, view), Head(facts.overview, view),
                                  NodesNotReady(facts.nodes, view), InFlight(facts.overview, view)};
  // Of what is stuck so much that the cluster's state is seen too.
  const size_t least_for_rest = CountLines(sections[1]) + 1;
  std::string out;
  size_t left = height == 0 ? SIZE_MAX : height;
  for (const std::string& section : sections) {
    if (section.empty()) continue;
    const size_t gap = out.empty() ? 0 : 1;
    // A title with a line or two below it, or nothing.
    if (left < gap + std::min<size_t>(CountLines(section), 3)) continue;
    size_t room = left - gap;
    const bool first = out.empty();
    if (first && height != 0) {
      room = std::max<size_t>(room > least_for_rest ? room - least_for_rest : room, room / 2);
    }
    const std::string part = FirstLines(section, room);
    absl::StrAppend(&out, gap == 0 ? "" : "\n", part);
    left -= gap + CountLines(part);
  }
  return out;
}

std::string RenderDiagnosis(const v1::Diagnosis& diagnosis, const View& view) {
  int counts[5] = {};
  Table table({{"CHECK", Table::Fit::kKeep}, {""}, {"FOUND", Table::Fit::kWrap}});
  for (const v1::ManagerCheck& check : diagnosis.checks()) {
    const size_t index = static_cast<size_t>(check.status());
    if (index < std::size(counts)) ++counts[index];
    const bool bad = check.status() == v1::PreflightCheck::FAILED ||
                     check.status() == v1::PreflightCheck::WARNING;
    std::string found = Clean(check.message());
    if (bad && check.reason() != v1::Reason::CODE_UNSPECIFIED) {
      found = absl::StrCat(ReasonText(check.reason()), ": ", found);
    }
    table.AddRow({Clean(check.id()), {StateText(check.status()), ColourOf(check.status())}, found});
    if (!bad) continue;
    for (const std::string& clause : Clauses(Clean(check.remedy()))) {
      table.AddRow({"", "", {"-> " + clause, Colour::kBold}});
    }
  }
  std::string out = table.Render(view.width, view.colour);
  const int failed = counts[v1::PreflightCheck::FAILED];
  const int warnings = counts[v1::PreflightCheck::WARNING];
  if (failed + warnings == 0) {
    absl::StrAppend(&out, "\n", Paint("The manager is well.", Colour::kGreen, view.colour), "\n");
  } else {
    absl::StrAppend(&out, "\n",
                    Paint(absl::StrCat(failed, " failed, ", Plural(warnings, "warning")),
                          failed > 0 ? Colour::kRed : Colour::kYellow, view.colour),
                    "; what each means: docs/reference/doctor.md\n");
  }
  return out;
}

}  // namespace hostq::cli
