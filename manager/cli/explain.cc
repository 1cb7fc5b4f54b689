#include "manager/cli/explain.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/text.h"
#include "manager/cli/progress.h"
#include "manager/cli/table.h"
#include "manager/cli/words.h"

namespace hostq::cli {
namespace {

constexpr size_t kIndent = 2;
constexpr size_t kLabelWidth = 12;

// "  Label       text, and where it is longer than a line
//               the rest of it".
void AppendField(std::string& out, absl::string_view label, const std::vector<std::string>& texts,
                 size_t width) {
  const size_t left = kIndent + kLabelWidth;
  bool first = true;
  for (const std::string& text : texts) {
    for (const std::string& line : Wrap(text, width > left ? width - left : width)) {
      absl::StrAppend(&out, std::string(kIndent, ' '), PadRight(first ? label : "", kLabelWidth),
                      line, "\n");
      first = false;
    }
  }
}

// "PARKED: failed; waits for a person, or for its node to be mended".
std::string WithExplanation(v1::Reason::Code code) {
  const absl::string_view explanation = Explanation(code);
  return absl::StrCat(ReasonText(code), explanation.empty() ? "" : ": ", explanation);
}

// The node that must act, if one must.
std::string OwnerNode(const v1::Finding& finding) {
  return Clean(finding.owner_node().empty() ? finding.node() : finding.owner_node());
}

// Where it is: the node, or the manager itself.
std::string PlaceOf(const v1::Finding& finding) {
  return finding.node().empty() ? "manager" : Clean(finding.node());
}

// The task to look at: the one at the end of the chain of waiting.
std::string RootOf(const v1::Finding& finding) {
  return Clean(finding.root_task_id().empty() ? finding.task_id() : finding.root_task_id());
}

// What a finding is about: the failure if there is one, else why it waits.
v1::Reason::Code CauseOf(const v1::Finding& finding) {
  return finding.cause() == v1::Reason::CODE_UNSPECIFIED ? finding.reason() : finding.cause();
}

std::vector<std::string> EvidenceLines(const v1::Finding& finding) {
  const std::map<std::string, std::string> sorted(finding.evidence().begin(),
                                                  finding.evidence().end());
  size_t name_width = 0;
  for (const auto& [name, value] : sorted) name_width = std::max(name_width, DisplayWidth(name));
  std::vector<std::string> lines;
  for (const auto& [name, value] : sorted) {
    lines.push_back(absl::StrCat(PadRight(Clean(name), name_width), " = ", Clean(value)));
  }
  return lines;
}

// A finished command that did not succeed: what each of its failed tasks ended with.
std::string RenderFailures(const v1::Command& command, const std::string& node, const View& view) {
  std::string out;
  for (const v1::Task& task : command.tasks()) {
    if (task.outcome() == v1::Task::SUCCEEDED) continue;
    if (!node.empty() && task.node() != node) continue;
    absl::StrAppend(&out, "\n", Paint(Clean(task.node()), Colour::kBold, view.colour), "  ",
                    Paint(StateText(task), ColourOf(task), view.colour), "\n");
    if (task.reason() != v1::Reason::CODE_UNSPECIFIED) {
      AppendField(out, "Why", {WithExplanation(task.reason())}, view.prose_width);
    }
    if (!task.message().empty()) {
      AppendField(out, "Details", {Clean(task.message())}, view.prose_width);
    }
  }
  return out;
}

std::string RenderFinished(const v1::Command& command, const std::string& node, const View& view) {
  const absl::Duration took = ToTime(command.finish_time()) - ToTime(command.create_time());
  std::string out =
      absl::StrCat("It has finished: ", Paint(StateText(command), ColourOf(command), view.colour));
  if (command.finish_time().seconds() != 0) {
    absl::StrAppend(&out, " at ", TimeText(command.finish_time(), view.zone), ", after ",
                    FormatAge(took));
  }
  out += ".\n";
  if (command.state() == v1::Command::SUCCEEDED) {
    return out + "Nothing of it is stuck, there is nothing to do for it.\n";
  }
  absl::StrAppend(&out, RenderFailures(command, node, view),
                  "\nEvery attempt with its steps: hostq command show ", Clean(command.id()), "\n");
  return out;
}

// One sentence for a task that moves or waits its turn.
std::string RenderMoving(const v1::Finding& finding, const View& view) {
  std::string out = absl::StrCat("\n", Paint(Clean(finding.node()), Colour::kBold, view.colour),
                                 "  ", ReasonText(finding.reason()));
  if (finding.cause() != v1::Reason::CODE_UNSPECIFIED) {
    absl::StrAppend(&out, " after ", ReasonText(finding.cause()));
  }
  const std::string age = AgeOf(finding.since_time(), view.now);
  if (!age.empty()) absl::StrAppend(&out, " for ", age);
  out += "\n";
  AppendField(out, "Why", {std::string(Explanation(finding.reason()))}, view.prose_width);
  if (!finding.summary().empty()) {
    AppendField(out, "Details", {Clean(finding.summary())}, view.prose_width);
  }
  if (!finding.root_task_id().empty()) {
    AppendField(out, "Waits for", {absl::StrCat("hostq explain ", Clean(finding.root_task_id()))},
                view.prose_width);
  }
  return out;
}

// The findings of `hostq stuck` that one person mends at one place.
struct Group {
  v1::Reason::Code cause;
  v1::Finding::Owner owner;
  std::vector<const v1::Finding*> findings;
};

// In the order of their first finding: the oldest first.
std::vector<Group> GroupByCause(const v1::ListFindingsResponse& response) {
  std::vector<Group> groups;
  for (const v1::Finding& finding : response.findings()) {
    const v1::Reason::Code cause = CauseOf(finding);
    auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& known) {
      return known.cause == cause && known.owner == finding.owner() &&
             known.findings[0]->task_id().empty() == finding.task_id().empty();
    });
    if (group == groups.end()) {
      group = groups.insert(groups.end(), Group{cause, finding.owner(), {}});
    }
    group->findings.push_back(&finding);
  }
  return groups;
}

// More of one cause say nothing new; --output json has them all.
constexpr size_t kMaxRows = 25;

std::string GroupHead(const Group& group, const View& view) {
  const v1::Finding& first = *group.findings[0];
  const std::string node = OwnerNode(first);
  const bool one_node =
      std::all_of(group.findings.begin(), group.findings.end(),
                  [&](const v1::Finding* finding) { return OwnerNode(*finding) == node; });
  const bool stuck = std::any_of(group.findings.begin(), group.findings.end(),
                                 [](const v1::Finding* finding) { return finding->stuck(); });
  const std::string name = ReasonText(group.cause);
  std::string out = Paint(name, stuck ? Colour::kRed : Colour::kBold, view.colour) + "  ";
  const size_t left = DisplayWidth(name) + 2;
  const size_t width = view.prose_width > left + 20 ? view.prose_width - left : 0;
  const std::vector<std::string> lines = Wrap(Explanation(group.cause), width);
  for (size_t i = 0; i < lines.size(); ++i) {
    absl::StrAppend(&out, std::string(i == 0 ? 0 : left, ' '), lines[i], "\n");
  }
  absl::StrAppend(&out, "  must act: ",
                  Paint(OwnerShort(group.owner, one_node ? node : ""), Colour::kBold, view.colour));
  if (group.findings.size() > 1) {
    std::set<std::string> nodes;
    for (const v1::Finding* finding : group.findings) nodes.insert(finding->node());
    if (first.task_id().empty()) {
      if (nodes.size() > 1) absl::StrAppend(&out, "; ", nodes.size(), " nodes");
    } else {
      absl::StrAppend(&out, "; ", group.findings.size(), " tasks");
      if (group.findings.size() > kMaxRows && nodes.size() > 1)
        absl::StrAppend(&out, " on ", nodes.size(), " nodes");
    }
  }
  return out + "\n";
}

std::string RenderGroup(const Group& group, const View& view) {
  const size_t rows = std::min(group.findings.size(), kMaxRows);
  Table table(
      {{"", Table::Fit::kCut}, {""}, {"", Table::Fit::kKeep, true}, {""}, {"", Table::Fit::kCut}});
  std::string said;
  for (size_t i = 0; i < rows; ++i) {
    const v1::Finding& finding = *group.findings[i];
    const bool of_task = !finding.task_id().empty();
    table.AddRow(
        {{PlaceOf(finding), Colour::kBold},
         ReasonText(finding.reason()),
         AgeOf(finding.since_time(), view.now),
         of_task ? Clean(finding.command_id()) : "-",
         of_task ? absl::StrCat(Clean(finding.kind()), " ", Clean(finding.resource_key())) : "-"});
    // Said once where it is the same for all that follow.
    if (finding.summary() != said) table.AddNote(Clean(finding.summary()));
    said = finding.summary();
  }
  std::string out =
      absl::StrCat(GroupHead(group, view), table.Render(view.width, view.colour, kIndent));
  if (group.findings.size() > rows) {
    absl::StrAppend(&out, "  and ", group.findings.size() - rows, " more\n");
  }
  // There is no command to explain.
  const v1::Finding& first = *group.findings[0];
  if (first.task_id().empty() && !first.remedy().empty()) {
    AppendField(out, "What to do", Clauses(Clean(first.remedy())), view.prose_width);
  }
  return out;
}

}  // namespace

std::string RenderFinding(const v1::Finding& finding, const View& view) {
  std::string out =
      absl::StrCat(Paint(PlaceOf(finding), Colour::kBold, view.colour), "  ",
                   Paint(ReasonText(CauseOf(finding)),
                         finding.stuck() ? Colour::kRed : Colour::kYellow, view.colour),
                   "\n");
  AppendField(out, "What",
              {finding.task_id().empty()
                   ? "no command: this is about the node or the manager itself"
                   : absl::StrCat(Clean(finding.kind()), " on ", Clean(finding.resource_key()),
                                  ", task ", Clean(finding.task_id()))},
              view.prose_width);
  AppendField(out, "Why", {WithExplanation(finding.reason())}, view.prose_width);
  if (finding.cause() != v1::Reason::CODE_UNSPECIFIED) {
    AppendField(out, "Cause", {WithExplanation(finding.cause())}, view.prose_width);
  }
  if (!finding.summary().empty()) {
    AppendField(out, "Details", {Clean(finding.summary())}, view.prose_width);
  }
  if (finding.since_time().seconds() != 0) {
    AppendField(out, "Since",
                {absl::StrCat(AgeOf(finding.since_time(), view.now), " (",
                              TimeText(finding.since_time(), view.zone), ")")},
                view.prose_width);
  }
  const std::string owner = OwnerText(finding.owner(), OwnerNode(finding));
  if (!owner.empty()) AppendField(out, "Must act", {owner}, view.prose_width);
  if (!finding.evidence().empty()) {
    AppendField(out, "Evidence", EvidenceLines(finding), view.prose_width);
  }
  if (!finding.root_task_id().empty()) {
    AppendField(
        out, "Root",
        {absl::StrCat("the task to look at: hostq explain ", Clean(finding.root_task_id()))},
        view.prose_width);
  }
  if (!finding.remedy().empty()) {
    AppendField(out, "What to do", Clauses(Clean(finding.remedy())), view.prose_width);
  }
  return out;
}

std::string RenderExplanation(const v1::ExplainCommandResponse& response, const std::string& node,
                              const View& view) {
  const v1::Command& command = response.command();
  std::string out = absl::StrCat(Paint(Clean(command.id()), Colour::kBold, view.colour), "  ",
                                 TitleOf(command), ", by ", Clean(command.actor()), ", ",
                                 AgeOf(command.create_time(), view.now), " ago\n");
  if (command.state() != v1::Command::ACTIVE) {
    out += RenderFinished(command, node, view);
    if (response.findings().empty()) return out;
    out += "But what it made is not so any more:\n";
    for (const v1::Finding& finding : response.findings()) {
      absl::StrAppend(&out, "\n", RenderFinding(finding, view));
    }
    return out;
  }

  std::vector<const v1::Finding*> findings;
  for (const v1::Finding& finding : response.findings()) {
    if (node.empty() || finding.node() == node) findings.push_back(&finding);
  }
  const auto stuck = static_cast<size_t>(
      std::count_if(findings.begin(), findings.end(),
                    [](const v1::Finding* finding) { return finding->stuck(); }));
  absl::StrAppend(&out, CountText(command),
                  command.has_parts() ? ", " + PartsText(command.parts()) : "",
                  stuck == 0 ? ". " : ", ");
  if (stuck > 0) {
    out += Paint(absl::StrCat(stuck, " stuck"), Colour::kRed, view.colour) + ".\n";
  } else if (!node.empty() && findings.empty()) {
    absl::StrAppend(&out, "Its task on ", Clean(node), " has finished.\n");
  } else {
    out += "Nothing is stuck: nobody has to do anything.\n";
  }
  for (const v1::Finding* finding : findings) {
    if (finding->stuck()) absl::StrAppend(&out, "\n", RenderFinding(*finding, view));
  }
  for (const v1::Finding* finding : findings) {
    if (!finding->stuck()) out += RenderMoving(*finding, view);
  }
  return out;
}

std::string RenderDryRun(const v1::CreateCommandResponse& response, const View& view) {
  const v1::Command& command = response.command();
  std::string out = absl::StrCat("Nothing was changed. It would be ", TitleOf(command), ".\n");
  int stage = -1;
  for (int i = 0; i < command.tasks_size(); ++i) {
    const v1::Task& task = command.tasks(i);
    if (task.stage() != stage) {
      stage = task.stage();
      absl::StrAppend(&out, "\nStage ", stage + 1, "\n");
    }
    const bool known = i < response.findings_size();
    const bool free = !known || response.findings(i).reason() == v1::Reason::IN_PROGRESS;
    const Colour colour = known && response.findings(i).stuck() ? Colour::kRed
                          : free                                ? Colour::kGreen
                                                                : Colour::kYellow;
    absl::StrAppend(
        &out, "  ", Paint(Clean(task.node()), Colour::kBold, view.colour), "  ",
        Paint(free ? "nothing stands in its way" : ReasonText(response.findings(i).reason()),
              colour, view.colour),
        "\n");
    if (!free && !response.findings(i).summary().empty()) {
      for (const std::string& line :
           Wrap(Clean(response.findings(i).summary()), view.prose_width - 4)) {
        absl::StrAppend(&out, "    ", line, "\n");
      }
    }
  }
  return out;
}

std::string RenderStuck(const v1::ListFindingsResponse& response, const View& view) {
  if (response.findings().empty()) return "Nothing is stuck.\n";
  const std::vector<Group> groups = GroupByCause(response);
  std::string out;
  for (const Group& group : groups) {
    absl::StrAppend(&out, RenderGroup(group, view), "\n");
  }
  if (response.left_out() > 0) {
    absl::StrAppend(&out, response.left_out(),
                    " more did not fit into the answer: hostq stuck --node NODE\n");
  }
  const v1::Finding* shown = nullptr;
  for (const v1::Finding& finding : response.findings()) {
    if (finding.task_id().empty()) continue;
    if (shown == nullptr || (finding.stuck() && !shown->stuck())) shown = &finding;
  }
  if (shown != nullptr) {
    absl::StrAppend(&out, "What to do about one of them: hostq explain ", RootOf(*shown), "\n");
  }
  return out;
}

}  // namespace hostq::cli
