#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "manager/cli/groups.h"
#include "manager/cli/options.h"
#include "manager/cli/table.h"
#include "manager/cli/view.h"
#include "manager/cli/words.h"

namespace hostq::cli {
namespace {

struct AlarmOptions {
  std::string subject;
};

absl::StatusOr<int> List(Tool& tool, const AlarmOptions&) {
  HOSTQ_ASSIGN_OR_RETURN(const v1::ListAlarmsResponse response, tool.client().ListAlarms());
  if (tool.document()) {
    tool.PrintDocument(response);
    return kDone;
  }
  if (response.alarms().empty()) {
    tool.Print("No alarms.\n");
    return kDone;
  }
  const View view = MakeView(tool);
  Table table({{"SUBJECT"},
               {"REASON"},
               {"COUNT", Table::Fit::kKeep, true},
               {"LAST", Table::Fit::kKeep, true},
               {"FROM"},
               {"WHAT", Table::Fit::kWrap}});
  for (const v1::Alarm& alarm : response.alarms()) {
    table.AddRow({{Clean(alarm.subject()), Colour::kBold},
                  ReasonText(alarm.reason()),
                  absl::StrCat(alarm.count()),
                  AgeOf(alarm.last_time(), view.now),
                  Clean(alarm.last_source()),
                  Clean(alarm.message())});
    table.AddNote(absl::StrCat("-> ", Clean(alarm.remedy())));
  }
  tool.Print(table.Render(view.width, view.colour));
  return kDone;
}

absl::StatusOr<int> Clear(Tool& tool, const AlarmOptions& options) {
  tool.names = {{"SUBJECT", options.subject}};
  HOSTQ_ASSIGN_OR_RETURN(const v1::ClearAlarmResponse response,
                         tool.client().ClearAlarm(options.subject));
  if (tool.document()) {
    tool.PrintDocument(response);
  } else {
    tool.Print(absl::StrCat("The alarm ", Clean(options.subject),
                            " is cleared; if it happens again, it comes again.\n"));
  }
  return kDone;
}

}  // namespace

void AddAlarmCommands(CLI::App& root, Tool& tool) {
  CLI::App& group =
      AddGroup(root, "alarm", "what somebody should look into: tokens and certificates misused");
  auto options = std::make_shared<AlarmOptions>();
  OnRun(AddLeaf(group, "list", "all alarms that are not cleared", "hostq alarm list"), tool,
        options, List);
  options = std::make_shared<AlarmOptions>();
  CLI::App& clear = AddLeaf(group, "clear", "it was looked into", "hostq alarm clear token/web1");
  AddText(clear, "SUBJECT", options->subject, "", "the alarm, as it is listed")->required();
  OnRun(clear, tool, options, Clear);
}

}  // namespace hostq::cli
