#include "agent/host/exports.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "agent/host/ip_address.h"

namespace hostq::agent {

std::vector<ExportEntry> ParseExports(absl::string_view text) {
  std::vector<ExportEntry> entries;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    if (words.size() != 2 || words[0][0] != '/') continue;
    const size_t open = words[1].find('(');
    if (open == 0 || open == absl::string_view::npos || words[1].back() != ')') continue;
    ExportEntry& entry = entries.emplace_back();
    entry.path = std::string(words[0]);
    entry.client = std::string(words[1].substr(0, open));
    entry.options = absl::StrSplit(words[1].substr(open + 1, words[1].size() - open - 2), ',');
  }
  return entries;
}

std::string FormatExports(const std::vector<ExportEntry>& entries) {
  std::string text = "# Written by hostq; yours belong in /etc/exports.\n";
  for (const ExportEntry& entry : entries) {
    absl::StrAppend(&text, entry.path, " ", entry.client, "(", absl::StrJoin(entry.options, ","),
                    ")\n");
  }
  return text;
}

bool Covers(const ExportEntry& entry, absl::string_view path, absl::string_view client) {
  if (entry.path != path) return false;
  if (entry.client == "*" || entry.client == "<world>") return true;
  const auto range = IpRange::Parse(entry.client);
  const auto address = IpAddress::Parse(client);
  return range && address && range->Contains(*address);
}

}  // namespace hostq::agent
