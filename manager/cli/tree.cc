#include "manager/cli/tree.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "manager/cli/groups.h"
#include "manager/cli/help.h"
#include "manager/cli/live.h"
#include "manager/cli/options.h"
#include "manager/cli/words.h"

namespace hostq::cli {
namespace {

constexpr char kRootFooter[] = R"(
Exit codes:
  0  done
  1  the command finished, but failed, was cancelled or superseded, or expired
  2  wrong usage
  3  refused by the manager: something in the request is wrong
  4  the manager cannot be reached
  5  not authorized
  6  timed out while waiting; the work goes on
  7  another error

To begin with:
  hostq node list                    are all nodes READY?
  hostq stuck                        what needs somebody to act?
  hostq top                          all of it at a glance, live
  hostq doctor                       is the manager itself well?
  hostq explain example.com          why does this account not come along?
  hostq account create --help        make an account)";

std::optional<Format> FormatOf(absl::string_view text) {
  if (text == "table") return Format::kTable;
  if (text == "wide") return Format::kWide;
  if (text == "json") return Format::kJson;
  if (text == "yaml") return Format::kYaml;
  return std::nullopt;
}

// Options of the root are known to every command below.
void AddCommonOptions(CLI::App& root, Tool& tool) {
  root.add_option_function<std::string>(
          "--socket",
          [&tool](const std::string& text) {
            tool.socket = SocketPath(text);
            tool.remote.manager.clear();  // of the variable: an option says more
          },
          "the manager's socket (default /run/hostq/manager.sock, or HOSTQ_SOCKET)")
      ->type_name("PATH");
  const auto add = [&root](const std::string& name, std::string& value, const std::string& type,
                           const std::string& help) {
    return root.add_option(name, value, help)->type_name(type);
  };
  add("--manager", tool.remote.manager, "HOST:PORT",
      "the API of a manager elsewhere, instead of its socket (or HOSTQ_MANAGER)")
      ->excludes("--socket");
  add("--identity", tool.remote.identity, "FILE",
      "with --manager: the file that says who you are, made by an administrator (or "
      "HOSTQ_IDENTITY)");
  add("--key-file", tool.remote.key, "FILE",
      "with --manager: an API key instead of an identity (or HOSTQ_KEY_FILE)");
  add("--ca-cert", tool.remote.ca, "FILE",
      "with --key-file: whom the manager trusts, its ca/trusted.pem (or HOSTQ_CA_CERT)");
  root.add_option_function<std::string>(
          "--output,-o",
          [&tool](const std::string& text) { tool.format = FormatOf(text).value_or(tool.format); },
          "tables for people (the default), with everything that there is (wide), or one document "
          "for programs")
      ->type_name("table|wide|json|yaml")
      ->check([](const std::string& text) {
        return FormatOf(text) ? "" : "use table, wide, json or yaml";
      });
}

// Whatever only looks can be looked at again and again.
void AddWatch(CLI::App& app, Tool& tool) {
  constexpr absl::string_view kLooks[] = {"list",   "show",    "stuck",   "explain",
                                          "pauses", "orphans", "overview"};
  for (CLI::App* command : app.get_subcommands({})) {
    AddWatch(*command, tool);
    const std::string& name = command->get_name();
    if (std::find(std::begin(kLooks), std::end(kLooks), name) == std::end(kLooks)) continue;
    command->add_flag("--watch", tool.watch,
                      "show it again when something happens, and every 2 s; q or Ctrl-C ends it");
  }
}

// The parser may fail before it has seen the option, and then it still counts.
Format WantedFormat(const std::vector<std::string>& words) {
  for (size_t i = 0; i < words.size(); ++i) {
    absl::string_view value = words[i];
    const bool option = value == "--output" || value == "-o";
    if (option && i + 1 < words.size()) {
      value = words[i + 1];
    } else if (!absl::ConsumePrefix(&value, "--output=") && !absl::ConsumePrefix(&value, "-o")) {
      continue;
    }
    if (const auto format = FormatOf(value)) return *format;
  }
  return Format::kTable;
}

// The one of `known` that `word` was probably meant to be, or "".
std::string Nearest(const std::vector<std::string>& known, absl::string_view word) {
  std::string nearest;
  size_t least = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& name : known) {
    const size_t distance = EditDistance(word, name);
    if (distance >= least) continue;
    least = distance;
    nearest = name;
  }
  return nearest;
}

// Of `app`, and of every command.
std::vector<std::string> OptionsOf(const CLI::App& app) {
  std::vector<std::string> out;
  for (const CLI::App* level = &app; level != nullptr; level = level->get_parent()) {
    for (const CLI::Option* option : level->get_options()) {
      for (const std::string& name : option->get_lnames()) out.push_back("--" + name);
    }
  }
  return out;
}

absl::Status UnknownCommand(const CLI::App& group, const std::string& word) {
  const absl::Status status =
      UsageError(absl::StrCat("there is no command \"", PathOf(group), " ", Clean(word), "\""));
  std::vector<std::string> known;
  for (const CLI::App* command : group.get_subcommands({})) known.push_back(command->get_name());
  const std::string nearest = Nearest(known, word);
  if (nearest.empty()) return status;
  return WithRemedy(status, absl::StrCat("did you mean ", PathOf(group), " ", nearest, "?"));
}

absl::Status UnknownOption(const CLI::App& chosen, const std::string& word) {
  const std::string option = word.substr(0, word.find('='));
  std::string remedy = absl::StrCat("see its options: ", PathOf(chosen), " --help");
  if (!absl::StartsWith(word, "--")) {
    remedy += "; a value that begins with a hyphen comes last, after --";
  } else if (const std::string nearest = Nearest(OptionsOf(chosen), option); !nearest.empty()) {
    remedy = absl::StrCat("did you mean ", nearest, "?");
  }
  return WithRemedy(
      UsageError(absl::StrCat("\"", PathOf(chosen), "\" has no option \"", Clean(option), "\"")),
      remedy);
}

// The option of `app` whose value is missing, by what the parser says of it: "--quota: 1 required
// SIZE missing". Null: it says something else.
const CLI::Option* WithoutValue(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() != static_cast<int>(CLI::ExitCodes::ArgumentMismatch)) return nullptr;
  const std::string name = std::string(error.what()).substr(0, std::string(error.what()).find(':'));
  for (const CLI::App* level = &app; level != nullptr; level = level->get_parent()) {
    const CLI::Option* option = level->get_option_no_throw(name);
    if (option != nullptr && option->get_items_expected_max() > 0) return option;
  }
  return nullptr;
}

// What is wrong with the line. The parser's own words name no command, and miss the point where a
// word was taken for an option.
absl::Status UsageErrorOf(const CLI::App& root, const CLI::ParseError& error) {
  if (const auto* bad = dynamic_cast<const BadValue*>(&error)) {
    return UsageError(bad->what(), bad->reason);
  }
  const CLI::App& chosen = Chosen(root);
  const bool group = !chosen.get_subcommands({}).empty();
  const int code = error.get_exit_code();
  const bool required = code == static_cast<int>(CLI::ExitCodes::RequiredError);
  if (required || code == static_cast<int>(CLI::ExitCodes::ExtrasError)) {
    std::vector<std::string> rest = root.remaining(/*recurse=*/true);
    for (const std::string& word : rest) {
      if (word.size() > 1 && word[0] == '-' && word != "--") return UnknownOption(chosen, word);
    }
    for (const std::string& word : rest) {
      if (word == "--") continue;
      if (group) return UnknownCommand(chosen, word);
      return UsageError(absl::StrCat("\"", Clean(word), "\" is one argument too many for \"",
                                     PathOf(chosen), "\""));
    }
  }
  if (const CLI::Option* option = WithoutValue(chosen, error)) {
    const std::string name = option->get_name();
    return UsageError(
        absl::StrCat(name, " has no value: wanted is ", name, " ", option->get_type_name()));
  }
  if (group && required) {
    return UsageError(absl::StrCat("say what to do after \"", PathOf(chosen), "\""));
  }
  return UsageError(error.what());
}

int FailUsage(Tool& tool, const CLI::App& root, const CLI::ParseError& error,
              const std::vector<std::string>& words) {
  tool.format = WantedFormat(words);
  tool.path.clear();  // the usage is shown below
  const CLI::App& chosen = Chosen(root);
  absl::Status status = UsageErrorOf(root, error);
  if (tool.document() && RemedyOf(status).empty() && ReasonOf(status) == Reason::kInvalidArgument) {
    status = WithRemedy(std::move(status), absl::StrCat("see: ", PathOf(chosen), " --help"));
  }
  const int code = tool.Fail(status);
  if (tool.document()) return code;
  if (chosen.get_subcommands({}).empty()) {
    std::cerr << "usage: " << UsageOf(chosen) << "\nmore:  " << PathOf(chosen) << " --help\n";
  } else {
    std::cerr << "\n" << RenderHelp(chosen, tool.terminal.ProseWidth());
  }
  return code;
}

}  // namespace

std::unique_ptr<CLI::App> MakeTree(Tool& tool) {
  auto root = std::make_unique<CLI::App>(
      "the command queue of a hosting cluster: see what moves, what is stuck, and why", "hostq");
  root->fallthrough();
  root->require_subcommand(1);
  root->set_help_flag("-h,--help", "this help; at every level, with examples");
  root->set_version_flag("--version", "hostq " HOSTQ_VERSION)->description("the version, and exit");
  root->footer(kRootFooter);
  AddCommonOptions(*root, tool);
  AddAccountCommands(*root, tool);
  AddShareCommands(*root, tool);
  AddQuotaCommands(*root, tool);
  AddAddressCommands(*root, tool);
  AddBalancerCommands(*root, tool);
  AddCommandCommands(*root, tool);
  AddFindingCommands(*root, tool);
  AddOverviewCommands(*root, tool);
  AddDoctorCommands(*root, tool);
  AddNodeCommands(*root, tool);
  AddAuthorityCommands(*root, tool);
  AddAlarmCommands(*root, tool);
  AddEventCommands(*root, tool);
  AddAuditCommands(*root, tool);
  AddKeyCommands(*root, tool);
  AddWebhookCommands(*root, tool);
  AddAdministratorCommands(*root, tool);
  AddCompletionCommands(*root, tool);
  AddManCommands(*root, tool);
  AddWatch(*root, tool);
  return root;
}

namespace {

void ReadVariable(const char* name, std::string& value) {
  if (const char* text = std::getenv(name); text != nullptr) value = text;
}

// Up to the first option without a value, "--note=", which is then refused as such: the parser
// would take the next word for the value, and "--note= --dry-run" would act.
std::vector<std::string> UpToAnEmptyValue(std::vector<std::string> words) {
  for (size_t i = 0; i < words.size() && words[i] != "--"; ++i) {
    const std::string& word = words[i];
    if (absl::StartsWith(word, "--") && word.size() > 3 && word.find('=') == word.size() - 1) {
      words.resize(i + 1);
    }
  }
  return words;
}

}  // namespace

int RunTool(Tool& tool, const std::vector<std::string>& words) {
  const char* socket = std::getenv("HOSTQ_SOCKET");
  if (socket != nullptr && *socket != '\0') tool.socket = SocketPath(socket);
  ReadVariable("HOSTQ_MANAGER", tool.remote.manager);
  ReadVariable("HOSTQ_IDENTITY", tool.remote.identity);
  ReadVariable("HOSTQ_KEY_FILE", tool.remote.key);
  ReadVariable("HOSTQ_CA_CERT", tool.remote.ca);
  const std::unique_ptr<CLI::App> root = MakeTree(tool);
  // The parser takes words from the end.
  std::vector<std::string> reversed = UpToAnEmptyValue(words);
  std::reverse(reversed.begin(), reversed.end());
  try {
    root->parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    tool.Print(RenderHelp(Chosen(*root), tool.terminal.ProseWidth()));
    return tool.Flush() ? kDone : kOtherError;
  } catch (const CLI::CallForVersion& version) {
    tool.Print(absl::StrCat(version.what(), "\n"));
    return tool.Flush() ? kDone : kOtherError;
  } catch (const CLI::ParseError& error) {
    return FailUsage(tool, *root, error, words);
  }
  HOSTQ_CHECK(tool.action != nullptr);
  const absl::Status opened = tool.OpenEndpoint();
  if (!opened.ok()) return tool.Fail(opened);
  tool.path = PathOf(Chosen(*root));
  if (tool.format == Format::kWide) tool.terminal.width = kEveryColumn;
  const absl::StatusOr<int> result = tool.watch ? Watch(tool) : tool.action();
  const int code = result.ok() ? *result : tool.Fail(result.status());
  if (!tool.Flush()) return tool.Fail(absl::DataLossError("cannot write to standard output"));
  return code;
}

}  // namespace hostq::cli
