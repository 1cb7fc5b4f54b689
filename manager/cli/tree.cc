#include "manager/cli/tree.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "manager/cli/groups.h"
#include "manager/cli/help.h"
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
  hostq explain example.com          why does this account not come along?
  hostq account create --help        make an account)";

// Options of the root are known to every command below.
void AddCommonOptions(CLI::App& root, Tool& tool) {
  root.add_option_function<std::string>(
          "--socket", [&tool](const std::string& text) { tool.socket = SocketPath(text); },
          "the manager's socket (default /run/hostq/manager.sock, or HOSTQ_SOCKET)")
      ->type_name("PATH");
  root.add_option_function<std::string>(
          "--output,-o", [&tool](const std::string& text) { tool.json = text == "json"; },
          "tables for people (the default), or one JSON document for programs")
      ->type_name("table|json")
      ->check([](const std::string& text) {
        return text == "table" || text == "json" ? "" : "use table or json";
      });
}

// The parser may fail before it has seen the option, and then JSON is still wanted.
bool WantsJson(const std::vector<std::string>& words) {
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--output=json" || words[i] == "-ojson") return true;
    const bool option = words[i] == "--output" || words[i] == "-o";
    if (option && i + 1 < words.size() && words[i + 1] == "json") return true;
  }
  return false;
}

// The option of `app`, or of every command, that `word` was probably meant to be: "--quota", or "".
std::string Nearest(const CLI::App& app, absl::string_view word) {
  std::string nearest;
  size_t least = std::max<size_t>(2, word.size() / 3) + 1;
  for (const CLI::App* level = &app; level != nullptr; level = level->get_parent()) {
    for (const CLI::Option* option : level->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        const size_t distance = EditDistance(word, "--" + name);
        if (distance >= least) continue;
        least = distance;
        nearest = "--" + name;
      }
    }
  }
  return nearest;
}

absl::Status UnknownOption(const CLI::App& chosen, const std::string& word) {
  const std::string option = word.substr(0, word.find('='));
  std::string remedy = absl::StrCat("see its options: ", PathOf(chosen), " --help");
  if (!absl::StartsWith(word, "--")) {
    remedy += "; a value that begins with a hyphen comes last, after --";
  } else if (const std::string nearest = Nearest(chosen, option); !nearest.empty()) {
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
      return UsageError(
          group ? absl::StrCat("there is no command \"", PathOf(chosen), " ", Clean(word), "\"")
                : absl::StrCat("\"", Clean(word), "\" is one argument too many for \"",
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
  tool.json = WantsJson(words);
  const CLI::App& chosen = Chosen(root);
  absl::Status status = UsageErrorOf(root, error);
  if (tool.json && RemedyOf(status).empty() && ReasonOf(status) == Reason::kInvalidArgument) {
    status = WithRemedy(std::move(status), absl::StrCat("see: ", PathOf(chosen), " --help"));
  }
  const int code = tool.Fail(status);
  if (tool.json) return code;
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
  AddNodeCommands(*root, tool);
  AddEventCommands(*root, tool);
  AddCompletionCommands(*root, tool);
  return root;
}

namespace {

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
  const absl::StatusOr<int> result = tool.action();
  const int code = result.ok() ? *result : tool.Fail(result.status());
  if (!tool.Flush()) return tool.Fail(absl::DataLossError("cannot write to standard output"));
  return code;
}

}  // namespace hostq::cli
