#include "manager/cli/groups.h"
#include "manager/cli/options.h"

namespace hostq::cli {
namespace {

struct QuotaOptions {
  std::string domain;
  int64_t size = 0;
  SubmitOptions submit;
};

absl::StatusOr<int> Set(Tool& tool, const QuotaOptions& options) {
  v1::CommandSpec spec;
  spec.mutable_set_quota()->set_domain(options.domain);
  spec.mutable_set_quota()->set_quota_bytes(options.size);
  tool.names = {{"DOMAIN", options.domain}};
  return Submit(tool, options.submit, spec);
}

}  // namespace

void AddQuotaCommands(CLI::App& root, Tool& tool) {
  CLI::App& group = AddGroup(root, "quota", "quotas set from particular nodes");
  auto options = std::make_shared<QuotaOptions>();
  CLI::App& set =
      AddLeaf(group, "set",
              "set an account's quota from given nodes, over the share; to change a quota where it "
              "belongs, use: hostq account set-quota",
              "hostq quota set example.com --size 10GiB --node web1 --wait");
  AddText(set, "DOMAIN", options->domain, "", "the account")->required();
  AddSize(set, "--size", options->size, "the limit: 512MiB, 10GiB; unlimited: none")->required();
  AddSubmitOptions(set, tool, options->submit);
  OnRun(set, tool, options, Set);
}

}  // namespace hostq::cli
