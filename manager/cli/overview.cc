#include "common/base/error.h"
#include "manager/cli/groups.h"
#include "manager/cli/live.h"
#include "manager/cli/options.h"
#include "manager/cli/overview_view.h"
#include "manager/cli/view.h"

namespace hostq::cli {
namespace {

struct NoOptions {};

absl::StatusOr<int> Overview(Tool& tool, const NoOptions&) {
  HOSTQ_ASSIGN_OR_RETURN(const v1::Overview overview, tool.client().GetOverview());
  if (tool.document()) {
    tool.PrintDocument(overview);
  } else {
    tool.Print(RenderOverview(overview, MakeView(tool)));
  }
  return kDone;
}

absl::StatusOr<std::string> LookAtAll(Tool& tool, size_t height) {
  TopFacts facts;
  HOSTQ_ASSIGN_OR_RETURN(facts.overview, tool.client().GetOverview());
  HOSTQ_ASSIGN_OR_RETURN(facts.nodes, tool.client().ListNodes());
  return RenderTop(facts, height, MakeView(tool));
}

absl::StatusOr<int> Top(Tool& tool, const NoOptions& none) {
  if (tool.document()) return Overview(tool, none);
  if (tool.terminal.interactive && tool.terminal.can_ask) {
    return RunLive(tool, [&tool] { return LookAtAll(tool, tool.terminal.height); });
  }
  HOSTQ_ASSIGN_OR_RETURN(const std::string text, LookAtAll(tool, 0));
  tool.Print(text);
  return kDone;
}

}  // namespace

void AddOverviewCommands(CLI::App& root, Tool& tool) {
  const auto options = std::make_shared<NoOptions>();
  OnRun(AddLeaf(root, "overview", "the cluster at a glance: nodes, tasks, what is stuck by cause",
                "hostq overview\n"
                "hostq overview --watch\n"
                "hostq overview --output json | jq '.causes[].id'"),
        tool, options, Overview);
  OnRun(AddLeaf(root, "top", "the same live, with what runs now; q ends it",
                "hostq top\n"
                "hostq --manager 10.0.0.1:7445 --identity alice.pem top"),
        tool, options, Top);
}

}  // namespace hostq::cli
