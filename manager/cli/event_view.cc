#include "manager/cli/event_view.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "manager/cli/words.h"

namespace hostq::cli {
namespace {

// Where a line goes on that is longer than the terminal: below the time.
constexpr size_t kHanging = 8;

std::string PhaseName(v1::Task::Phase phase) {
  const std::string& name = v1::Task::Phase_Name(phase);
  return name.empty() ? absl::StrCat("PHASE_", static_cast<int>(phase)) : name;
}

// "RUNNING -> FINISHED SUCCEEDED".
std::string ChangeText(const v1::Event& event) {
  if (event.type() != v1::Event::TASK_CHANGED) {
    const std::string& name = v1::Event::Type_Name(event.type());
    return name.empty() ? absl::StrCat("TYPE_", static_cast<int>(event.type())) : name;
  }
  std::string out = PhaseName(event.to_phase());
  if (event.from_phase() != v1::Task::PHASE_UNSPECIFIED && event.from_phase() != event.to_phase()) {
    out = absl::StrCat(PhaseName(event.from_phase()), " -> ", out);
  }
  if (event.outcome() != v1::Task::OUTCOME_UNSPECIFIED) {
    absl::StrAppend(&out, " ", v1::Task::Outcome_Name(event.outcome()));
  }
  return out;
}

}  // namespace

std::string RenderEvent(const v1::Event& event, const View& view) {
  const std::string nothing = "-";
  std::string head = absl::StrCat(
      PadLeft(absl::StrCat(event.sequence()), 6), "  ", TimeText(event.time(), view.zone), "  ",
      PadRight(event.command_id().empty() ? nothing : Clean(event.command_id()), 13), "  ",
      PadRight(event.node().empty() ? nothing : Clean(event.node()), 10), "  ", ChangeText(event));
  std::string rest = ReasonText(event.reason());
  if (!event.message().empty()) {
    absl::StrAppend(&rest, rest.empty() ? "" : ": ", Clean(event.message()));
  }
  std::vector<std::string> circumstances;
  if (event.attempt() > 0) circumstances.push_back(absl::StrCat("attempt ", event.attempt()));
  if (!event.actor().empty() && event.actor() != "manager") {
    circumstances.push_back(absl::StrCat("by ", Clean(event.actor())));
  }
  if (!circumstances.empty()) {
    absl::StrAppend(&rest, rest.empty() ? "(" : " (", absl::StrJoin(circumstances, ", "), ")");
  }
  if (rest.empty()) return head + "\n";
  if (view.width == 0 || DisplayWidth(head) + 2 + DisplayWidth(rest) <= view.width) {
    return absl::StrCat(head, "  ", rest, "\n");
  }
  std::string out = head + "\n";
  for (const std::string& line : Wrap(rest, view.width - kHanging)) {
    absl::StrAppend(&out, std::string(kHanging, ' '), line, "\n");
  }
  return out;
}

}  // namespace hostq::cli
