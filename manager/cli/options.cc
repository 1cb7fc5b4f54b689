#include "manager/cli/options.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "google/protobuf/util/time_util.h"
#include "manager/cli/explain.h"
#include "manager/cli/view.h"
#include "manager/cli/wait.h"
#include "manager/cli/words.h"

namespace hostq::cli {
namespace {

void PrintAccepted(Tool& tool, const v1::CreateCommandResponse& response) {
  const v1::Command& command = response.command();
  const std::string id = Clean(command.id());
  const std::string nodes = absl::StrJoin(
      command.tasks(), ", ",
      [](std::string* out, const v1::Task& task) { absl::StrAppend(out, Clean(task.node())); });
  std::string text = absl::StrCat(response.repeated() ? "already accepted " : "accepted ", id, ": ",
                                  TitleOf(command));
  if (!nodes.empty()) absl::StrAppend(&text, ", for ", nodes);
  for (const std::string& line : Wrap(text, tool.terminal.width)) tool.Print(line + "\n");
  tool.Print(absl::StrCat("follow it: hostq command watch ", id, "\n"));
}

void AddNumber(CLI::App& leaf, const std::string& name, int min, int max,
               std::function<void(int)> set, const std::string& help) {
  leaf.add_option_function<int>(name, std::move(set), help)
      ->type_name("N")
      ->check(CLI::Range(min, max).description(""));
}

void AddDelay(CLI::App& leaf, const std::string& name,
              std::function<google::protobuf::Duration*()> field, const std::string& help) {
  const auto parse = [name, field](const std::string& text) {
    const auto span = ParseSpan(text);
    if (!span) Reject(name, text, "a duration: use 90s, 15m, 1h30m or 2d");
    *field() =
        google::protobuf::util::TimeUtil::NanosecondsToDuration(absl::ToInt64Nanoseconds(*span));
  };
  leaf.add_option_function<std::string>(name, parse, help)->type_name("DURATION");
}

// When it is sent, before whom, and to how many at once.
void AddDelivery(CLI::App& leaf, Tool& tool, v1::CreateCommandRequest& rules) {
  const auto parse = [&rules, &tool](const std::string& text) {
    const auto time = ParseWhen(text, tool.now());
    if (!time) Reject("--not-before", text, "a time: use 2h, or 2026-12-24T18:00:00Z");
    *rules.mutable_not_before() = FromTime(*time);
  };
  leaf.add_option_function<std::string>("--not-before", parse,
                                        "nothing is sent before; a time or a duration")
      ->type_name("TIME");
  AddNumber(
      leaf, "--priority", -100, 100, [&rules](int n) { rules.set_priority(n); },
      "-100 to 100: what waits for the same node is sent in this order, the highest first");
  AddNumber(
      leaf, "--max-parallel", 0, 1'000'000, [&rules](int n) { rules.set_max_parallel(n); },
      "to at most so many nodes at once (0, the default: all)");
  AddNumber(
      leaf, "--max-failures", 0, 1'000'000, [&rules](int n) { rules.set_max_failures(n); },
      "to no further node while more than so many are failing");
}

void AddRetryOptions(CLI::App& leaf, v1::CreateCommandRequest& rules) {
  AddNumber(
      leaf, "--max-attempts", 1, 1000,
      [&rules](int n) { rules.mutable_retry()->set_max_attempts(n); },
      "parked after so many failures (1 to 1000)");
  AddDelay(
      leaf, "--retry-initial", [&rules] { return rules.mutable_retry()->mutable_initial(); },
      "the delay after the first failure; it doubles with each, unless --retry-factor");
  leaf.add_option_function<double>(
          "--retry-factor", [&rules](double factor) { rules.mutable_retry()->set_factor(factor); },
          "each delay is so many times the one before: 1 to 100")
      ->type_name("X")
      ->check(CLI::Range(1.0, 100.0).description(""));
  const auto jitter = [&rules](const std::string& text) {
    if (text != "half" && text != "full") Reject("--retry-jitter", text, "half or full");
    rules.mutable_retry()->set_full_jitter(text == "full");
  };
  leaf.add_option_function<std::string>(
          "--retry-jitter", jitter,
          "draw each delay from half of it up (the default), or from zero up: half or full")
      ->type_name("half|full");
  AddDelay(
      leaf, "--retry-cap", [&rules] { return rules.mutable_retry()->mutable_cap(); },
      "the longest delay between two attempts");
  AddDelay(
      leaf, "--max-elapsed", [&rules] { return rules.mutable_retry()->mutable_max_elapsed(); },
      "parked at the first failure this long after the first attempt");
  const auto never = [&rules](const std::vector<std::string>& codes) {
    for (const std::string& code : codes) {
      rules.mutable_retry()->add_never(ParseReason("--never-retry", code));
    }
  };
  leaf.add_option_function<std::vector<std::string>>(
          "--never-retry", never, "parked at once if it fails with this; repeated, or with commas")
      ->type_name("CODE")
      ->delimiter(',')
      ->allow_extra_args(false);
}

}  // namespace

void Reject(const std::string& option, absl::string_view value, absl::string_view wanted,
            Reason reason) {
  throw BadValue(option, absl::StrCat("\"", Clean(value), "\" is not ", wanted), reason);
}

CLI::App& AddGroup(CLI::App& parent, const std::string& name, const std::string& description) {
  CLI::App* group = parent.add_subcommand(name, description);
  // At most one also keeps "hostq node show list" from being taken as two commands.
  group->require_subcommand(1);
  group->footer("");  // it would inherit that of its parent
  return *group;
}

CLI::App& AddLeaf(CLI::App& parent, const std::string& name, const std::string& description,
                  const std::string& example) {
  CLI::App* leaf = parent.add_subcommand(name, description);
  leaf->footer(example);
  return *leaf;
}

CLI::Option* AddText(CLI::App& leaf, const std::string& name, std::string& value,
                     const std::string& type, const std::string& help) {
  return leaf.add_option(name, value, help)->type_name(type);
}

CLI::Option* AddSize(CLI::App& leaf, const std::string& name, int64_t& value,
                     const std::string& help) {
  const auto parse = [&value, name](const std::string& text) {
    const auto size = ParseSize(text);
    if (!size) {
      Reject(name, text, "a size: use a whole number of KiB, MiB, GiB or TiB",
             Reason::kInvalidSize);
    }
    value = *size;
  };
  return leaf.add_option_function<std::string>(name, parse, help)->type_name("SIZE");
}

CLI::Option* AddSpan(CLI::App& leaf, const std::string& name, absl::Duration& value,
                     const std::string& help) {
  const auto parse = [&value, name](const std::string& text) {
    const auto span = ParseSpan(text);
    if (!span) Reject(name, text, "a duration: use 90s, 15m, 1h30m or 2d");
    value = *span;
  };
  return leaf.add_option_function<std::string>(name, parse, help)->type_name("DURATION");
}

CLI::Option* AddNodes(CLI::App& leaf, std::vector<std::string>& nodes, const std::string& help) {
  return leaf.add_option("--node", nodes, help)
      ->type_name("NODE")
      ->delimiter(',')
      ->allow_extra_args(false);
}

void AddWaitOptions(CLI::App& leaf, WaitOptions& options) {
  CLI::Option* wait =
      leaf.add_flag("--wait", options.wait, "show the progress until the command has finished");
  AddSpan(leaf, "--timeout", options.timeout,
          "with --wait: give up waiting after this long (the work goes on)")
      ->needs(wait);
}

v1::Reason::Code ParseReason(const std::string& option, const std::string& text) {
  v1::Reason::Code code{};
  if (!v1::Reason::Code_Parse(absl::AsciiStrToUpper(text), &code) || code == 0) {
    Reject(option, text, "a reason: use a code as hostq stuck shows it, such as STEP_TIMED_OUT");
  }
  return code;
}

void AddSubmitOptions(CLI::App& leaf, Tool& tool, SubmitOptions& options) {
  AddNodes(
      leaf, options.nodes,
      "only on this node; repeated, or several with commas (default: those the command needs)");
  AddText(leaf, "--request-id", options.request_id, "ID",
          "submitted again with the same id, the command is not made twice");
  const auto parse = [&options, &tool](const std::string& text) {
    const auto time = ParseWhen(text, tool.now());
    if (!time) Reject("--not-after", text, "a time: use 2h, or 2026-12-24T18:00:00Z");
    options.not_after = *time;
  };
  leaf.add_option_function<std::string>(
          "--not-after", parse, "what has not started by then expires; a time or a duration")
      ->type_name("TIME");
  AddDelivery(leaf, tool, options.rules);
  AddRetryOptions(leaf, options.rules);
  leaf.add_flag_callback(
      "--dry-run", [&options] { options.rules.set_validate_only(true); },
      "change nothing: show where it would go and what stands in its way now");
  AddWaitOptions(leaf, options.wait);
}

absl::StatusOr<int> Submit(Tool& tool, const SubmitOptions& options, const v1::CommandSpec& spec) {
  v1::CreateCommandRequest request = options.rules;
  request.set_request_id(options.request_id);
  *request.mutable_spec() = spec;
  for (const std::string& node : options.nodes) request.add_nodes(node);
  if (options.not_after != absl::InfiniteFuture()) {
    *request.mutable_not_after() = FromTime(options.not_after);
  }
  if (options.nodes.size() == 1) tool.names.emplace("NODE", options.nodes[0]);
  HOSTQ_ASSIGN_OR_RETURN(const v1::CreateCommandResponse response,
                         tool.client().CreateCommand(request));
  if (request.validate_only()) {
    if (tool.document()) {
      tool.PrintDocument(response);
    } else {
      tool.Print(RenderDryRun(response, MakeView(tool)));
    }
    return kDone;
  }
  if (options.wait.wait) {
    return WaitForCommand(tool, response.command().id(), options.wait.timeout);
  }
  if (tool.document()) {
    tool.PrintDocument(response.command());
  } else {
    PrintAccepted(tool, response);
  }
  return kDone;
}

}  // namespace hostq::cli
