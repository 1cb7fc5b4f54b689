#include "manager/cli/help.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "manager/cli/layout.h"
#include "manager/cli/table.h"

namespace hostq::cli {
namespace {

bool IsHelp(const CLI::Option* option) { return option->check_lname("help"); }

// Names to the left, what they mean to the right.
std::string Listing(const std::string& title,
                    const std::vector<std::pair<std::string, std::string>>& entries, size_t width) {
  if (entries.empty()) return "";
  Table table({{""}, {"", Table::Fit::kWrap}});
  for (const auto& [name, text] : entries) table.AddRow({name, text});
  return absl::StrCat("\n", title, ":\n", table.Render(width, false, 2));
}

std::string OptionListing(const std::string& title, const CLI::App& app, bool positional,
                          size_t width) {
  std::vector<std::pair<std::string, std::string>> entries;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional() != positional) continue;
    // Every command has its own; it is listed once.
    if (IsHelp(option) && app.get_parent() != nullptr) continue;
    entries.emplace_back(NameOf(option),
                         absl::StrCat(option->get_description(),
                                      option->get_required() && !positional ? " (required)" : ""));
  }
  return Listing(title, entries, width);
}

}  // namespace

std::string NameOf(const CLI::Option* option) {
  if (option->get_positional()) return option->get_name(true);
  std::string out;
  for (const std::string& name : option->get_snames()) absl::StrAppend(&out, "-", name, ", ");
  for (const std::string& name : option->get_lnames()) absl::StrAppend(&out, "--", name);
  if (option->get_items_expected_max() > 0) absl::StrAppend(&out, " ", option->get_type_name());
  return out;
}

std::string PathOf(const CLI::App& app) {
  if (app.get_parent() == nullptr) return app.get_name();
  return absl::StrCat(PathOf(*app.get_parent()), " ", app.get_name());
}

const CLI::App& Chosen(const CLI::App& root) {
  const std::vector<CLI::App*> parsed = root.get_subcommands();
  return parsed.empty() ? root : Chosen(*parsed.back());
}

std::string UsageOf(const CLI::App& app) {
  std::string out = PathOf(app);
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) continue;
    const std::string name = option->get_name(true);
    absl::StrAppend(
        &out, option->get_required() ? absl::StrCat(" ", name) : absl::StrCat(" [", name, "]"));
  }
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional() && option->get_required()) {
      absl::StrAppend(&out, " ", NameOf(option));
    }
  }
  absl::StrAppend(&out, app.get_subcommands({}).empty() ? " [OPTION...]" : " COMMAND");
  return out;
}

std::string RenderHelp(const CLI::App& app, size_t width) {
  std::string out;
  for (const std::string& line :
       Wrap(absl::StrCat(PathOf(app), ": ", app.get_description()), width)) {
    absl::StrAppend(&out, line, "\n");
  }
  absl::StrAppend(&out, "\nusage: ", UsageOf(app), "\n");
  std::vector<std::pair<std::string, std::string>> commands;
  for (const CLI::App* command : app.get_subcommands({})) {
    commands.emplace_back(command->get_name(), command->get_description());
  }
  out += Listing("Commands", commands, width);
  out += OptionListing("Arguments", app, true, width);
  const bool is_root = app.get_parent() == nullptr;
  if (!is_root) out += OptionListing("Options", app, false, width);
  const CLI::App* root = &app;
  while (root->get_parent() != nullptr) root = root->get_parent();
  out += OptionListing("Options of every command", *root, false, width);
  if (!app.get_footer().empty()) {
    if (!is_root) out += "\nExamples:\n";
    for (const absl::string_view line : absl::StrSplit(app.get_footer(), '\n')) {
      absl::StrAppend(&out, is_root || line.empty() ? "" : "  ", line, "\n");
    }
  } else if (!commands.empty()) {
    absl::StrAppend(&out, "\nMore about one of them, with an example: ", PathOf(app), " ",
                    commands[0].first, " --help\n");
  }
  return out;
}

}  // namespace hostq::cli
