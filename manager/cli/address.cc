#include "manager/cli/groups.h"
#include "manager/cli/options.h"

namespace hostq::cli {
namespace {

struct AddressOptions {
  std::string address;
  SubmitOptions submit;
};

absl::StatusOr<int> Bind(Tool& tool, const AddressOptions& options) {
  v1::CommandSpec spec;
  spec.mutable_bind_address()->set_address(options.address);
  tool.names = {{"ADDRESS", options.address}};
  return Submit(tool, options.submit, spec);
}

absl::StatusOr<int> Unbind(Tool& tool, const AddressOptions& options) {
  v1::CommandSpec spec;
  spec.mutable_unbind_address()->set_address(options.address);
  tool.names = {{"ADDRESS", options.address}};
  return Submit(tool, options.submit, spec);
}

}  // namespace

void AddAddressCommands(CLI::App& root, Tool& tool) {
  CLI::App& group = AddGroup(root, "address", "addresses on the loopback device of the app nodes");
  auto options = std::make_shared<AddressOptions>();
  CLI::App& bind = AddLeaf(group, "bind", "put an address on lo of the app nodes",
                           "hostq address bind 203.0.113.10 --node web2 --wait");
  AddText(bind, "ADDRESS", options->address, "", "IPv4 or IPv6, without prefix")->required();
  AddSubmitOptions(bind, tool, options->submit);
  OnRun(bind, tool, options, Bind);

  options = std::make_shared<AddressOptions>();
  CLI::App& unbind = AddLeaf(group, "unbind", "take an address that no account uses off lo",
                             "hostq address unbind 203.0.113.10");
  AddText(unbind, "ADDRESS", options->address, "", "the address")->required();
  AddSubmitOptions(unbind, tool, options->submit);
  OnRun(unbind, tool, options, Unbind);
}

}  // namespace hostq::cli
