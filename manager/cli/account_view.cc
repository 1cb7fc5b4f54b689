#include "manager/cli/account_view.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/text.h"
#include "manager/cli/table.h"
#include "manager/cli/words.h"

namespace hostq::cli {
namespace {

constexpr int kShown = 10;  // commands

Colour VerdictColour(const v1::AccountVerdict& verdict) {
  switch (verdict.state()) {
    case v1::AccountVerdict::RIGHT:
      return Colour::kGreen;
    case v1::AccountVerdict::WRONG:
      return Colour::kRed;
    default:
      return Colour::kYellow;
  }
}

std::string VerdictText(const v1::AccountVerdict& verdict) {
  const std::string& name = v1::AccountVerdict::State_Name(verdict.state());
  return name.empty() ? absl::StrCat("STATE_", static_cast<int>(verdict.state()))
                      : absl::AsciiStrToLower(name);
}

std::string Ago(const google::protobuf::Timestamp& time, absl::Time now) {
  const std::string age = AgeOf(time, now);
  return age.empty() ? "" : age + " ago";
}

std::string NodeStateText(const v1::AccountOnNode& node) {
  v1::Node of_state;
  of_state.set_state(node.node_state());
  return StateText(of_state);
}

Colour NodeColour(const v1::AccountOnNode& node) {
  v1::Node of_state;
  of_state.set_state(node.node_state());
  return ColourOf(of_state);
}

std::string RolesOf(const v1::AccountOnNode& node) {
  v1::Node of_roles;
  *of_roles.mutable_roles() = node.roles();
  return RolesText(of_roles);
}

std::string LastTaskText(const v1::AccountOnNode& node, absl::Time now) {
  if (!node.has_last_task()) return "";
  std::string text = absl::StrCat(Clean(node.last_task_kind()), " ", StateText(node.last_task()));
  const std::string ago = Ago(node.last_task().phase_time(), now);
  return ago.empty() ? text : absl::StrCat(text, " ", ago);
}

std::string RenderHistory(const v1::DescribeAccountResponse& response, const View& view) {
  if (response.commands().empty()) return "";
  Table table({{"COMMAND"},
               {"KIND", Table::Fit::kCut},
               {"STATE"},
               {"AGE", Table::Fit::kKeep, true},
               {"BY", Table::Fit::kCut}});
  const int shown = std::min(response.commands_size(), kShown);
  for (int i = 0; i < shown; ++i) {
    const v1::Command& command = response.commands(i);
    table.AddRow({Clean(command.id()),
                  Clean(command.kind()),
                  {StateText(command), ColourOf(command)},
                  AgeOf(command.create_time(), view.now),
                  Clean(command.actor())});
  }
  std::string out = absl::StrCat("\n", table.Render(view.width, view.colour));
  if (response.commands_size() > shown) {
    absl::StrAppend(&out, "older ones: hostq command list --all --key account/",
                    Clean(response.account().domain()), "\n");
  }
  return out;
}

}  // namespace

std::string StateText(const v1::Account& account) {
  const std::string& name = v1::Account::State_Name(account.state());
  return name.empty() ? absl::StrCat("STATE_", static_cast<int>(account.state())) : name;
}

Colour ColourOf(const v1::Account& account) {
  return account.state() == v1::Account::ACTIVE ? Colour::kGreen : Colour::kYellow;
}

std::string AddressesText(const v1::Account& account) {
  return Clean(absl::StrJoin(account.addresses(), ", "));
}

std::string RenderVerdict(const v1::AccountVerdict& verdict, const View& view) {
  std::string out;
  bool first = true;
  for (const std::string& line : Wrap(Clean(verdict.summary()), view.prose_width)) {
    absl::StrAppend(&out, first ? Paint(line, VerdictColour(verdict), view.colour) : line, "\n");
    first = false;
  }
  for (const absl::string_view remedy : absl::StrSplit(verdict.remedy(), '\n', absl::SkipEmpty())) {
    for (const std::string& clause : Clauses(Clean(remedy))) {
      absl::StrAppend(&out, "  -> ", clause, "\n");
    }
  }
  return out;
}

std::string RenderPlaces(const v1::DescribeAccountResponse& response, const View& view) {
  if (response.nodes().empty()) return "";
  Table table({{"NODE", Table::Fit::kCut},
               {"ROLES", Table::Fit::kCut},
               {"STATE"},
               {"ACCOUNT"},
               {"LOOKED AT", Table::Fit::kKeep, true},
               {"LAST TASK", Table::Fit::kWrap}});
  for (const v1::AccountOnNode& node : response.nodes()) {
    table.AddRow({Clean(node.node()),
                  RolesOf(node),
                  {NodeStateText(node), NodeColour(node)},
                  {VerdictText(node.verdict()), VerdictColour(node.verdict())},
                  Ago(node.look_time(), view.now),
                  LastTaskText(node, view.now)});
    if (node.verdict().state() == v1::AccountVerdict::RIGHT) continue;
    // What the summary does not say already.
    std::string note = Clean(node.verdict().summary());
    const auto add = [&note](const std::string& text) {
      if (!absl::StrContains(note, text)) absl::StrAppend(&note, "; ", text);
    };
    for (const v1::Step& step : node.differences()) {
      add(absl::StrCat(Clean(step.name()), ": ", Clean(step.message())));
    }
    for (const v1::Finding& finding : node.findings()) add(Clean(finding.summary()));
    table.AddNote(note);
  }
  return table.Render(view.width, view.colour);
}

std::string RenderAccount(const v1::DescribeAccountResponse& response, const View& view) {
  const v1::Account& account = response.account();
  Table table({{""}, {"", Table::Fit::kWrap}});
  table.AddRow({"Account", {Clean(account.domain()), Colour::kBold}});
  table.AddRow({"State", {StateText(account), ColourOf(account)}});
  if (!account.suspend_note().empty()) table.AddRow({"Note", Clean(account.suspend_note())});
  table.AddRow({"User", absl::StrCat(Clean(account.user()), " (uid ", account.uid(), ", gid ",
                                     account.gid(), ")")});
  table.AddRow({"Home", Clean(account.home())});
  table.AddRow({"Quota", FormatSize(account.quota_bytes())});
  table.AddRow({"Addresses", AddressesText(account)});
  table.AddRow({"Created", TimeText(account.create_time(), view.zone)});
  table.AddRow({"Changes", absl::StrCat(account.generation())});
  const std::string places = RenderPlaces(response, view);
  return absl::StrCat(RenderVerdict(response.verdict(), view), "\n",
                      table.Render(view.width, view.colour), places.empty() ? "" : "\n", places,
                      RenderHistory(response, view));
}

}  // namespace hostq::cli
