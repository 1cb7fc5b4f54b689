#include "manager/cli/completion.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "manager/cli/groups.h"
#include "manager/cli/help.h"
#include "manager/cli/options.h"

namespace hostq::cli {
namespace {

// Finds the command that the words before the cursor name, then offers what may follow. The
// functions at the top are generated from the tree.
constexpr char kScript[] = R"bash(
_hostq() {
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} path=hostq i values
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      -*) ;;
      *) if [[ -n $(_hostq_words "$path ${COMP_WORDS[i]}") ]]; then path+=" ${COMP_WORDS[i]}"; fi ;;
    esac
  done
  COMPREPLY=()
  values=$(_hostq_values "$previous")
  case $values in
    FILE) compopt -o default 2>/dev/null; return ;;
    NONE) return ;;
    ?*) mapfile -t COMPREPLY < <(compgen -W "$values" -- "$word"); return ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$(_hostq_words "$path")" -- "$word")
}
complete -F _hostq hostq
)bash";

std::string LongNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return absl::StrJoin(names, " ");
}

// A line for this level and each below it.
void AppendWords(const CLI::App& app, const std::string& common, std::string& out) {
  std::string words;
  for (const CLI::App* command : app.get_subcommands({})) {
    absl::StrAppend(&words, command->get_name(), " ");
  }
  if (words.empty()) {
    // --help is among the options of the root, which are common.
    absl::StrAppend(&words, absl::StrReplaceAll(LongNames(app), {{"--help", ""}}), " ");
  }
  absl::StrAppend(&out, "    '", PathOf(app), "') echo '", words, common, "' ;;\n");
  for (const CLI::App* command : app.get_subcommands({})) AppendWords(*command, common, out);
}

// What the value of an option can be: words, a file, or something that cannot be known here.
void AppendValues(const CLI::App& app, std::string& out) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_lnames().empty() || option->get_items_expected_max() == 0) continue;
    const std::string type = option->get_type_name();
    std::string values = type == "PATH" || type == "FILE" ? "FILE" : "NONE";
    if (type.find('|') != std::string::npos) values = absl::StrReplaceAll(type, {{"|", " "}});
    std::string names = absl::StrCat("--", option->get_lnames()[0]);
    for (const std::string& name : option->get_snames()) absl::StrAppend(&names, "|-", name);
    const std::string line = absl::StrCat("    ", names, ") echo '", values, "' ;;\n");
    if (out.find(line) == std::string::npos) out += line;
  }
  for (const CLI::App* command : app.get_subcommands({})) AppendValues(*command, out);
}

// The same for zsh, which shows what each word means.
constexpr char kZshScript[] = R"zsh(
_hostq() {
  local chosen=hostq previous=$words[CURRENT-1] word values i
  local -a reply
  for ((i = 2; i < CURRENT; i++)); do
    word=$words[i]
    [[ $word == -* ]] && continue
    reply=()
    _hostq_words "$chosen $word"
    (($#reply)) && chosen+=" $word"
  done
  values=$(_hostq_values "$previous")
  case $values in
    FILE) _files; return ;;
    NONE) _message "the value of $previous"; return ;;
    ?*) compadd -- ${=values}; return ;;
  esac
  reply=()
  _hostq_words "$chosen"
  _describe hostq reply
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _hostq "$@"
else
  compdef _hostq hostq
fi
)zsh";

// "'name:what it is' " as a word of zsh.
void AppendZshWord(const std::string& name, const std::string& description, std::string& out) {
  const std::string word =
      absl::StrCat(absl::StrReplaceAll(name, {{":", "\\:"}}), ":", description);
  absl::StrAppend(&out, " '", absl::StrReplaceAll(word, {{"'", "'\\''"}}), "'");
}

void AppendZshOptions(const CLI::App& app, std::string& out) {
  for (const CLI::Option* option : app.get_options()) {
    // Each command has its own --help; it is among those of the root.
    if (option->check_lname("help") && app.get_parent() != nullptr) continue;
    for (const std::string& name : option->get_lnames()) {
      AppendZshWord("--" + name, option->get_description(), out);
    }
  }
}

// A line for this level and each below it.
void AppendZshWords(const CLI::App& app, const CLI::App& root, std::string& out) {
  absl::StrAppend(&out, "    '", PathOf(app), "') reply=(");
  const auto commands = app.get_subcommands({});
  for (const CLI::App* command : commands) {
    AppendZshWord(command->get_name(), command->get_description(), out);
  }
  if (commands.empty()) AppendZshOptions(app, out);
  AppendZshOptions(root, out);
  absl::StrAppend(&out, " ) ;;\n");
  for (const CLI::App* command : commands) AppendZshWords(*command, root, out);
}

struct CompletionOptions {
  const CLI::App* root = nullptr;
};

absl::StatusOr<int> Bash(Tool& tool, const CompletionOptions& options) {
  tool.Print(BashCompletion(*options.root));
  return kDone;
}

absl::StatusOr<int> Zsh(Tool& tool, const CompletionOptions& options) {
  tool.Print(ZshCompletion(*options.root));
  return kDone;
}

}  // namespace

std::string BashCompletion(const CLI::App& root) {
  const std::string common = LongNames(root);
  std::string words;
  AppendWords(root, common, words);
  std::string values;
  AppendValues(root, values);
  return absl::StrCat("# bash completion for hostq; made by: hostq completion bash\n",
                      "_hostq_words() {\n  case $1 in\n", words, "  esac\n}\n",
                      "_hostq_values() {\n  case $1 in\n", values, "  esac\n}", kScript);
}

std::string ZshCompletion(const CLI::App& root) {
  std::string words;
  AppendZshWords(root, root, words);
  std::string values;
  AppendValues(root, values);
  return absl::StrCat("#compdef hostq\n# zsh completion for hostq; made by: hostq completion zsh\n",
                      "_hostq_words() {\n  case $1 in\n", words, "  esac\n}\n",
                      "_hostq_values() {\n  case $1 in\n", values, "  esac\n}", kZshScript);
}

void AddCompletionCommands(CLI::App& root, Tool& tool) {
  CLI::App& group = AddGroup(root, "completion", "completion of commands in the shell");
  auto options = std::make_shared<CompletionOptions>();
  options->root = &root;
  OnRun(AddLeaf(group, "bash", "a completion script for bash",
                "hostq completion bash >/etc/bash_completion.d/hostq\n"
                "source <(hostq completion bash)"),
        tool, options, Bash);
  OnRun(AddLeaf(group, "zsh", "a completion script for zsh",
                "hostq completion zsh >/usr/local/share/zsh/site-functions/_hostq\n"
                "source <(hostq completion zsh)"),
        tool, options, Zsh);
}

}  // namespace hostq::cli
