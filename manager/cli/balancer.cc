#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/error.h"
#include "manager/cli/groups.h"
#include "manager/cli/options.h"
#include "manager/cli/table.h"
#include "manager/cli/words.h"

namespace hostq::cli {
namespace {

struct BalancerOptions {
  std::string scheduler;
  // Negative: as it is.
  int persistence = -1;
  std::string forwarding;
  std::vector<uint32_t> services;
  std::string node;
  uint32_t weight = 0;
  SubmitOptions submit;
};

template <typename Strings>
std::string List(const Strings& values, absl::string_view none) {
  if (values.empty()) return std::string(none);
  return absl::StrJoin(values, ", ", [](std::string* out, const std::string& value) {
    absl::StrAppend(out, Clean(value));
  });
}

// "7", or "8; the balancer has 7".
std::string RevisionText(const v1::Balancing& balancing) {
  if (balancing.confirmed_revision() >= balancing.revision() || balancing.balancers().empty()) {
    return absl::StrCat(balancing.revision());
  }
  return absl::StrCat(balancing.revision(), "; not on the balancer yet: hostq stuck");
}

std::string Render(const v1::Balancing& balancing, const Tool& tool) {
  const v1::BalancingSettings& settings = balancing.settings();
  Table table({{""}, {"", Table::Fit::kWrap}});
  table.AddRow({"Balancer", List(balancing.balancers(),
                                 "none; add a node of this role: "
                                 "hostq node add --help")});
  table.AddRow({"Services", absl::StrJoin(settings.ports(), ", ")});
  table.AddRow({"Scheduler", Clean(settings.scheduler())});
  table.AddRow({"Persistence", settings.persistence_seconds() == 0
                                   ? std::string("none")
                                   : absl::StrCat(settings.persistence_seconds(), " s")});
  table.AddRow({"Forwarding", absl::AsciiStrToLower(v1::Forwarding_Name(settings.forwarding()))});
  table.AddRow({"Revision", RevisionText(balancing)});
  table.AddRow({"Addresses", List(balancing.addresses(), "none: there is no account")});
  std::string out = table.Render(tool.terminal.width, tool.terminal.colour);
  if (balancing.servers().empty()) {
    return absl::StrCat(out, "\nNo app node has passed its preflight yet: hostq node list\n");
  }
  Table servers({{"NODE", Table::Fit::kCut}, {"ADDRESS"}, {"WEIGHT", Table::Fit::kKeep, true}});
  for (const v1::RealServer& server : balancing.servers()) {
    servers.AddRow(
        {Clean(server.node()),
         List(server.addresses(), ""),
         {absl::StrCat(server.weight()), server.weight() == 0 ? Colour::kYellow : Colour::kNone}});
  }
  return absl::StrCat(out, "\n", servers.Render(tool.terminal.width, tool.terminal.colour));
}

absl::StatusOr<int> Show(Tool& tool, const BalancerOptions&) {
  HOSTQ_ASSIGN_OR_RETURN(const v1::Balancing balancing, tool.client().GetBalancing());
  if (tool.document()) {
    tool.PrintDocument(balancing);
  } else {
    tool.Print(Render(balancing, tool));
  }
  return kDone;
}

absl::StatusOr<int> Set(Tool& tool, const BalancerOptions& options) {
  v1::CommandSpec spec;
  v1::SetBalancing& set = *spec.mutable_set_balancing();
  *set.mutable_ports() = {options.services.begin(), options.services.end()};
  set.set_scheduler(options.scheduler);
  if (options.persistence >= 0) {
    set.set_persistence_seconds(static_cast<uint32_t>(options.persistence));
  }
  if (options.forwarding == "direct") set.set_forwarding(v1::DIRECT);
  if (options.forwarding == "tunnel") set.set_forwarding(v1::TUNNEL);
  return Submit(tool, options.submit, spec);
}

absl::StatusOr<int> Weight(Tool& tool, const BalancerOptions& options) {
  v1::CommandSpec spec;
  v1::NodeWeight& weight = *spec.mutable_set_balancing()->add_weights();
  weight.set_node(options.node);
  weight.set_weight(options.weight);
  tool.names = {{"NODE", options.node}};
  return Submit(tool, options.submit, spec);
}

// "80,443" as one word, or repeated.
void AddServices(CLI::App& leaf, BalancerOptions& options) {
  leaf.add_option("--services", options.services,
                  "TCP ports; default: 25,80,110,143,443,587,993,995")
      ->type_name("PORT")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::Range(1, 65535).description(""));
}

}  // namespace

void AddBalancerCommands(CLI::App& root, Tool& tool) {
  CLI::App& group = AddGroup(root, "balancer", "how requests are spread over the app nodes (IPVS)");
  auto options = std::make_shared<BalancerOptions>();
  OnRun(AddLeaf(group, "show", "services, addresses and the app nodes with their weights",
                "hostq balancer show"),
        tool, options, Show);

  options = std::make_shared<BalancerOptions>();
  CLI::App& set = AddLeaf(
      group, "set",
      "change how requests are spread; what is not given stays as it is; with nothing given the "
      "balancer gets everything again",
      "hostq balancer set --scheduler rr --services 80,443 --wait");
  AddServices(set, *options);
  AddText(set, "--scheduler", options->scheduler, "NAME", "rr, wrr, lc, wlc (the default) or lblc");
  set.add_option("--persistence", options->persistence,
                 "so long a client comes to the same node again; 0 (the default): it need not")
      ->type_name("SECONDS")
      ->check(CLI::Range(0, 24 * 60 * 60).description(""));
  AddText(set, "--forwarding", options->forwarding, "direct|tunnel",
          "direct (the default): the nodes are on the balancer's network; tunnel: IP in IP")
      ->check([](const std::string& text) {
        return text == "direct" || text == "tunnel" ? "" : "use direct or tunnel";
      });
  AddSubmitOptions(set, tool, options->submit);
  OnRun(set, tool, options, Set);

  options = std::make_shared<BalancerOptions>();
  CLI::App& weight = AddLeaf(group, "weight", "a node's part of the new connections; 0: none",
                             "hostq balancer weight web1 3 --wait");
  AddText(weight, "NODE", options->node, "", "an app node")->required();
  weight.add_option("WEIGHT", options->weight, "0 to 65535, against those of the other nodes")
      ->type_name("")
      ->required()
      ->check(CLI::Range(0, 65535).description(""));
  AddSubmitOptions(weight, tool, options->submit);
  OnRun(weight, tool, options, Weight);
}

}  // namespace hostq::cli
