#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/reason.h"
#include "manager/cli/tool.h"

// The pieces that the groups of commands are made of. The client checks only what is syntax; the
// manager knows the rules.
namespace hostq::cli {

// A level with commands below it.
CLI::App& AddGroup(CLI::App& parent, const std::string& name, const std::string& description);
// A command. `example` is a line or several, shown by --help.
CLI::App& AddLeaf(CLI::App& parent, const std::string& name, const std::string& description,
                  const std::string& example);

// What the command does when it was chosen.
template <typename Options>
void OnRun(CLI::App& leaf, Tool& tool, std::shared_ptr<Options> options,
           absl::StatusOr<int> (*run)(Tool&, const Options&)) {
  leaf.callback([&tool, options, run] {
    tool.action = [&tool, options, run] { return run(tool, *options); };
  });
}

// A value that makes no sense to the client already.
class BadValue : public CLI::ValidationError {
 public:
  BadValue(const std::string& option, const std::string& what, Reason why)
      : CLI::ValidationError(option, what), reason(why) {}

  const Reason reason;
};
// Throws BadValue: "OPTION: "VALUE" is not WANTED".
[[noreturn]] void Reject(const std::string& option, absl::string_view value,
                         absl::string_view wanted, Reason reason = Reason::kInvalidArgument);

// Each variable must live as long as the tree.
CLI::Option* AddText(CLI::App& leaf, const std::string& name, std::string& value,
                     const std::string& type, const std::string& help);
CLI::Option* AddSize(CLI::App& leaf, const std::string& name, int64_t& value,
                     const std::string& help);
CLI::Option* AddSpan(CLI::App& leaf, const std::string& name, absl::Duration& value,
                     const std::string& help);
CLI::Option* AddNodes(CLI::App& leaf, std::vector<std::string>& nodes, const std::string& help);
// --wait and --timeout.
struct WaitOptions {
  bool wait = false;
  absl::Duration timeout = absl::InfiniteDuration();
};
void AddWaitOptions(CLI::App& leaf, WaitOptions& options);
// The code of a reason in any case: "STEP_TIMED_OUT". Throws BadValue.
v1::Reason::Code ParseReason(const std::string& option, const std::string& text);

// What every command that submits something takes.
struct SubmitOptions {
  std::vector<std::string> nodes;
  std::string request_id;
  // Infinite: none.
  absl::Time not_after = absl::InfiniteFuture();
  // How it is delivered; the spec is not in it.
  v1::CreateCommandRequest rules;
  WaitOptions wait;
};
void AddSubmitOptions(CLI::App& leaf, Tool& tool, SubmitOptions& options);

// Submits; waits if asked to, otherwise says how to follow.
absl::StatusOr<int> Submit(Tool& tool, const SubmitOptions& options, const v1::CommandSpec& spec);

}  // namespace hostq::cli
