#include "manager/cli/node_view.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "manager/cli/table.h"
#include "manager/cli/words.h"

namespace hostq::cli {
namespace {

// "12 ok, 1 warn, 2 FAIL".
std::string CountChecks(const v1::Node& node) {
  int ok = 0;
  int warnings = 0;
  int failed = 0;
  for (const v1::PreflightCheck& check : node.checks()) {
    ok += check.status() == v1::PreflightCheck::OK ? 1 : 0;
    warnings += check.status() == v1::PreflightCheck::WARNING ? 1 : 0;
    failed += check.status() == v1::PreflightCheck::FAILED ? 1 : 0;
  }
  if (node.checks().empty()) return "";
  std::string out = absl::StrCat(ok, " ok");
  if (warnings > 0) absl::StrAppend(&out, ", ", warnings, " warn");
  if (failed > 0) absl::StrAppend(&out, ", ", failed, " FAIL");
  return out;
}

std::string SkewText(int64_t skew_ms) {
  return absl::StrFormat("%+.3fs", static_cast<double>(skew_ms) / 1000);
}

}  // namespace

std::string RenderNodes(const v1::ListNodesResponse& response, const View& view) {
  if (response.nodes().empty()) return "No nodes yet. Add one: hostq node add --help\n";
  Table table({{"NODE", Table::Fit::kCut},
               {"STATE"},
               {"SINCE", Table::Fit::kKeep, true},
               {"ROLES", Table::Fit::kCut},
               {"ADDRESS"},
               {"QUEUED", Table::Fit::kKeep, true},
               {"BUSY", Table::Fit::kKeep, true},
               {"PREFLIGHT", Table::Fit::kWrap}});
  for (const v1::Node& node : response.nodes()) {
    table.AddRow({Clean(node.name()),
                  {StateText(node), ColourOf(node)},
                  AgeOf(node.state_time(), view.now),
                  RolesText(node),
                  Clean(node.address()),
                  absl::StrCat(node.tasks_queued()),
                  absl::StrCat(node.tasks_in_flight()),
                  CountChecks(node)});
    if (!node.pause_note().empty()) {
      table.AddNote(
          absl::StrCat("paused by ", Clean(node.paused_by()), ": ", Clean(node.pause_note())));
    }
    if (!node.ban_note().empty()) {
      table.AddNote(
          absl::StrCat("banned by ", Clean(node.banned_by()), ": ", Clean(node.ban_note())));
    }
  }
  return table.Render(view.width, view.colour);
}

namespace {

// What is under way with its next certificate; empty: nothing.
std::string RenewalText(const v1::Node& node, const View& view) {
  if (node.has_approved_until_time()) {
    return absl::StrCat("approved by ", Clean(node.approved_by()), " until ",
                        TimeText(node.approved_until_time(), view.zone));
  }
  if (node.has_approval_wanted_time()) {
    return absl::StrCat("waits for an approval for ", AgeOf(node.approval_wanted_time(), view.now),
                        ": hostq node approve ", Clean(node.name()));
  }
  if (node.next_certificate_serial().empty()) return "";
  return absl::StrCat("issued and not used yet: ", Clean(node.next_certificate_serial()));
}

}  // namespace

std::string RenderNode(const v1::Node& node, const View& view) {
  Table table({{""}, {"", Table::Fit::kWrap}});
  table.AddRow({"Node", {Clean(node.name()), Colour::kBold}});
  const std::string since = AgeOf(node.state_time(), view.now);
  table.AddRow({"State",
                {since.empty() ? StateText(node) : absl::StrCat(StateText(node), " for ", since),
                 ColourOf(node)}});
  if (!node.paused_by().empty() || !node.pause_note().empty()) {
    table.AddRow({node.drained() ? "Drained" : "Paused",
                  absl::StrCat("by ", Clean(node.paused_by()), ": ", Clean(node.pause_note()))});
  }
  if (!node.ban_note().empty()) {
    table.AddRow(
        {"Banned", absl::StrCat("by ", Clean(node.banned_by()), ": ", Clean(node.ban_note()))});
  }
  table.AddRow({"Roles", RolesText(node)});
  table.AddRow(
      {"Address", node.second_address().empty()
                      ? Clean(node.address())
                      : absl::StrCat(Clean(node.address()), ", ", Clean(node.second_address()))});
  table.AddRow({"Added", TimeText(node.create_time(), view.zone)});
  const bool joined = node.join_time().seconds() != 0;
  table.AddRow({"Joined", joined ? TimeText(node.join_time(), view.zone)
                                 : absl::StrCat("not yet; a new join line: hostq node add ",
                                                Clean(node.name()))});
  if (!node.agent_version().empty()) table.AddRow({"Agent", Clean(node.agent_version())});
  table.AddRow({"Tasks", absl::StrCat(node.tasks_queued(), " wait, ", node.tasks_in_flight(),
                                      " with the node, which takes ", node.credits(), " at once")});
  if (joined) {
    table.AddRow({"Clock", absl::StrCat(SkewText(node.clock_skew_ms()), " from the manager's")});
    table.AddRow(
        {"Certificate", absl::StrCat("until ", TimeText(node.certificate_expire_time(), view.zone),
                                     node.certificate_serial().empty()
                                         ? ""
                                         : absl::StrCat(", ", Clean(node.certificate_serial())))});
    if (const std::string renewal = RenewalText(node, view); !renewal.empty()) {
      table.AddRow({"Renewal", renewal});
    }
  }
  return absl::StrCat(table.Render(view.width, view.colour), "\n", RenderChecks(node, view));
}

std::string RenderRemoved(const std::string& name, const v1::ListSharesResponse& shares,
                          const v1::Balancing& balancing) {
  std::string out = absl::StrCat(
      Clean(name), " was removed; its certificate is void.\n", "Nothing was undone on ",
      Clean(name),
      ": if the machine runs on, it keeps its addresses on lo (and "
      "answers\nto them), its mounts and its users. To clean it, run there, as root:\n\n"
      "  systemctl disable --now hostq-agent hostq-executor\n"
      "  rm -r /var/lib/hostq/agent\n"
      "  ip -o addr show dev lo | awk '$4 != \"127.0.0.1/8\" && $4 != \"::1/128\" { print $4 }' |"
      " xargs -r -n 1 ip addr del dev lo\n");
  for (const v1::Share& share : shares.shares()) {
    // By its source: below the mount point a file server has the files themselves.
    absl::StrAppend(&out, "  umount ", Clean(share.source()), "\n");
  }
  const bool balancer = std::find(balancing.balancers().begin(), balancing.balancers().end(),
                                  name) != balancing.balancers().end();
  if (!balancer) return out;
  absl::StrAppend(&out, "  ipvsadm --clear\n");
  for (const std::string& address : balancing.addresses()) {
    const std::string own =
        absl::StrCat(Clean(address), absl::StrContains(address, ':') ? "/128" : "/32");
    absl::StrAppend(&out, "  ip -o addr show to ", own, " | awk '{ print $2 }' | ",
                    "xargs -r -n 1 ip addr del ", own, " dev\n");
  }
  return out;
}

std::string RenderChecks(const v1::Node& node, const View& view) {
  if (node.checks().empty()) {
    return absl::StrCat("No preflight yet. Run one: hostq node preflight ", Clean(node.name()),
                        " --wait\n");
  }
  std::string out = absl::StrCat("Preflight ", AgeOf(node.preflight_time(), view.now),
                                 " ago: ", CountChecks(node), "\n");
  Table table({{"CHECK", Table::Fit::kCut}, {""}, {"FOUND", Table::Fit::kWrap}});
  for (const v1::PreflightCheck& check : node.checks()) {
    std::string found = Clean(check.message());
    const bool bad = check.status() == v1::PreflightCheck::FAILED ||
                     check.status() == v1::PreflightCheck::WARNING;
    if (bad && check.reason() != v1::Reason::CODE_UNSPECIFIED) {
      found = absl::StrCat(ReasonText(check.reason()), ": ", found);
    }
    table.AddRow({Clean(check.id()), {StateText(check.status()), ColourOf(check.status())}, found});
    // Below what it mends, so that it needs no column of its own.
    if (!bad || check.remedy().empty()) continue;
    for (const std::string& clause : Clauses(Clean(check.remedy()))) {
      table.AddRow({"", "", {"-> " + clause, Colour::kBold}});
    }
  }
  return out + table.Render(view.width, view.colour, 2);
}

}  // namespace hostq::cli
