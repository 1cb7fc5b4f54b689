#include "manager/cli/man.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "manager/cli/groups.h"
#include "manager/cli/help.h"
#include "manager/cli/options.h"

namespace hostq::cli {
namespace {

// What roff would take for its own: backslashes, hyphens (which it would print as another sign),
// and dots and quotes at the beginning of a line.
std::string Roff(absl::string_view text) {
  std::string out = absl::StrReplaceAll(text, {{"\\", "\\e"},
                                               {"-", "\\-"},
                                               {"'", "\\(aq"},
                                               {"`", "\\(ga"},
                                               {"^", "\\(ha"},
                                               {"~", "\\(ti"}});
  if (!out.empty() && out[0] == '.') out.insert(0, "\\&");
  return out;
}

void AppendOption(const CLI::Option& option, std::string& out) {
  const bool required = option.get_required() && !option.get_positional();
  absl::StrAppend(&out, ".TP\n.B ", Roff(NameOf(&option)), "\n", Roff(option.get_description()),
                  required ? " (required)" : "", "\n");
}

void AppendOptions(const CLI::App& app, std::string& out) {
  for (const bool positional : {true, false}) {
    for (const CLI::Option* option : app.get_options()) {
      if (option->get_positional() != positional) continue;
      if (option->check_lname("help") && app.get_parent() != nullptr) continue;
      AppendOption(*option, out);
    }
  }
}

void AppendExample(const std::string& text, std::string& out) {
  absl::StrAppend(&out, ".PP\n.RS 4\n.nf\n");
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    absl::StrAppend(&out, Roff(line), "\n");
  }
  absl::StrAppend(&out, ".fi\n.RE\n");
}

void AppendCommands(const CLI::App& app, std::string& out) {
  for (const CLI::App* command : app.get_subcommands({})) {
    if (!command->get_subcommands({}).empty()) {
      absl::StrAppend(&out, ".SH ", absl::AsciiStrToUpper(command->get_name()), "\n",
                      Roff(command->get_description()), ".\n");
      AppendCommands(*command, out);
      continue;
    }
    // Commands without a group have a section of their own.
    const bool alone = app.get_parent() == nullptr;
    absl::StrAppend(&out, alone ? ".SH " : ".SS ",
                    alone ? absl::AsciiStrToUpper(command->get_name()) : Roff(PathOf(*command)),
                    "\n.B ", Roff(UsageOf(*command)), "\n.PP\n", Roff(command->get_description()),
                    ".\n");
    AppendOptions(*command, out);
    if (!command->get_footer().empty()) AppendExample(command->get_footer(), out);
  }
}

struct ManOptions {
  const CLI::App* root = nullptr;
};

absl::StatusOr<int> Man(Tool& tool, const ManOptions& options) {
  tool.Print(RenderManual(*options.root));
  return kDone;
}

}  // namespace

std::string RenderManual(const CLI::App& root) {
  std::string out =
      absl::StrCat(".\\\" made by: hostq man\n.TH HOSTQ 1 \"\" \"hostq ", HOSTQ_VERSION,
                   "\" \"hostq\"\n.nh\n.ad l\n.SH NAME\nhostq \\- ", Roff(root.get_description()),
                   "\n.SH SYNOPSIS\n.B hostq\n[OPTION...] GROUP COMMAND [ARGUMENT...] [OPTION...]\n"
                   ".SH OPTIONS OF EVERY COMMAND\nThey may stand anywhere on the line.\n");
  AppendOptions(root, out);
  AppendCommands(root, out);
  absl::StrAppend(
      &out, ".SH EXIT STATUS AND FIRST STEPS\nWhat hostq ends with, and what to begin with.\n");
  AppendExample(std::string(absl::StripAsciiWhitespace(root.get_footer())), out);
  absl::StrAppend(
      &out,
      ".SH ENVIRONMENT\n.TP\n.B HOSTQ_SOCKET, HOSTQ_MANAGER, HOSTQ_IDENTITY, HOSTQ_KEY_FILE, "
      "HOSTQ_CA_CERT\nas the options of the same name\n.TP\n.B NO_COLOR\nno colour, also on "
      "a terminal\n.TP\n.B COLUMNS\nthe width of what is printed\n");
  return out;
}

void AddManCommands(CLI::App& root, Tool& tool) {
  auto options = std::make_shared<ManOptions>();
  options->root = &root;
  OnRun(AddLeaf(root, "man", "the manual page of this program, in roff",
                "hostq man | man -l -\n"
                "hostq man >/usr/local/share/man/man1/hostq.1"),
        tool, options, Man);
}

}  // namespace hostq::cli
