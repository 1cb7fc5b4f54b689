#include "manager/access/scope.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/error.h"
#include "common/base/text.h"

namespace hostq::manager {
namespace {

constexpr std::pair<Verb, absl::string_view> kVerbs[] = {{Verb::kRead, "read"},
                                                         {Verb::kSubmit, "submit"},
                                                         {Verb::kAct, "act"},
                                                         {Verb::kOperate, "operate"},
                                                         {Verb::kAdmin, "admin"}};
constexpr size_t kMaxScope = 2'000;
constexpr size_t kMaxNames = 100;

absl::Status Wrong(absl::string_view text, absl::string_view why) {
  return InvalidField(Reason::kInvalidArgument, "scopes",
                      absl::StrCat("\"", Printable(text, 100), "\": ", why));
}

bool IsPatternCharacter(char c) {
  return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-' || c == '_' || c == '.' ||
         c == '*';
}

// A list with "*" among it is no limit.
absl::StatusOr<std::vector<std::string>> ParseNames(absl::string_view text, absl::string_view part,
                                                    absl::string_view names) {
  if (names.empty()) return std::vector<std::string>();
  std::vector<std::string> out = absl::StrSplit(names, ',');
  if (out.size() > kMaxNames) {
    return Wrong(text, absl::StrCat("more than ", kMaxNames, " ", part));
  }
  for (const std::string& name : out) {
    if (name.empty()) return Wrong(text, absl::StrCat("an empty name among its ", part));
    if (!std::all_of(name.begin(), name.end(), IsPatternCharacter)) {
      return Wrong(text, absl::StrCat("\"", Printable(name, 60), "\" is no name of ", part,
                                      ": wanted lower-case letters, digits, '-', '_', '.', '*'"));
    }
    if (name == "*") return std::vector<std::string>();
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

bool MatchesAny(const std::vector<std::string>& patterns, absl::string_view name) {
  return patterns.empty() ||
         std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return MatchesName(pattern, name); });
}

bool Grants(const Scope& scope, Verb verb) {
  return verb != Verb::kNone && (scope.verb == verb || scope.verb == Verb::kAdmin);
}

bool IsOwn(const Rights& rights, const Subject& subject) {
  const bool is_command = !subject.actor.empty();
  if (!subject.account_key.empty() && subject.account_key == rights.key_id &&
      (!is_command || subject.create_time >= subject.account_create_time)) {
    return true;
  }
  return !subject.actor.empty() && subject.actor == rights.actor &&
         subject.create_time >= rights.create_time;
}

// All but the nodes.
bool Fits(const Rights& rights, const Scope& scope, Verb verb, const Subject& subject) {
  if (!Grants(scope, verb)) return false;
  if (!scope.kinds.empty() && (subject.kind.empty() || !MatchesAny(scope.kinds, subject.kind))) {
    return false;
  }
  const bool of_accounts = !scope.accounts.empty() || rights.own_accounts;
  if (of_accounts && subject.account.empty()) return false;
  return MatchesAny(scope.accounts, subject.account) &&
         (!rights.own_accounts || IsOwn(rights, subject));
}

}  // namespace

absl::string_view NameOf(Verb verb) {
  for (const auto& [each, name] : kVerbs) {
    if (each == verb) return name;
  }
  return "none";
}

std::string Scope::text() const {
  std::string out(NameOf(verb));
  const std::vector<const std::vector<std::string>*> parts = {&kinds, &nodes, &accounts};
  size_t last = parts.size();
  while (last > 0 && parts[last - 1]->empty()) --last;
  for (size_t i = 0; i < last; ++i) absl::StrAppend(&out, ":", absl::StrJoin(*parts[i], ","));
  return out;
}

absl::StatusOr<Scope> ParseScope(absl::string_view text) {
  if (text.size() > kMaxScope) return Wrong(text, "is too long");
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ':');
  if (parts.size() > 4) {
    return Wrong(text, "has too many parts; wanted: VERB[:KINDS[:NODES[:ACCOUNTS]]]");
  }
  Scope scope;
  for (const auto& [verb, name] : kVerbs) {
    if (name == parts[0]) scope.verb = verb;
  }
  if (scope.verb == Verb::kNone) {
    return Wrong(text, absl::StrCat("\"", Printable(parts[0], 40),
                                    "\" is no verb; wanted: read, submit, act, operate or admin"));
  }
  const std::pair<std::vector<std::string>*, absl::string_view> fields[] = {
      {&scope.kinds, "kinds"}, {&scope.nodes, "nodes"}, {&scope.accounts, "accounts"}};
  for (size_t i = 1; i < parts.size(); ++i) {
    const auto& [field, name] = fields[i - 1];
    HOSTQ_ASSIGN_OR_RETURN(*field, ParseNames(text, name, parts[i]));
  }
  if (scope.verb == Verb::kAdmin &&
      !(scope.kinds.empty() && scope.nodes.empty() && scope.accounts.empty())) {
    return Wrong(text, "admin cannot be limited; use read, submit, act and operate");
  }
  return scope;
}

bool MatchesName(absl::string_view pattern, absl::string_view name) {
  // The last star, and how much of the name it has eaten: enough to go back to, because an earlier
  // star need not eat more if a later one can.
  size_t p = 0, n = 0, star = absl::string_view::npos, eaten = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      eaten = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != absl::string_view::npos) {
      p = star + 1;
      n = ++eaten;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool HasVerb(const Rights& rights, Verb verb) {
  if (rights.unlimited) return true;
  return std::any_of(rights.scopes.begin(), rights.scopes.end(),
                     [&](const Scope& scope) { return Grants(scope, verb); });
}

bool AllowsEverything(const Rights& rights, Verb verb) {
  if (rights.unlimited) return true;
  if (rights.own_accounts) return false;
  return std::any_of(rights.scopes.begin(), rights.scopes.end(), [&](const Scope& scope) {
    return Grants(scope, verb) && scope.kinds.empty() && scope.nodes.empty() &&
           scope.accounts.empty();
  });
}

bool AllowsBeyondAccounts(const Rights& rights, Verb verb) {
  if (rights.unlimited) return true;
  if (rights.own_accounts) return false;
  return std::any_of(rights.scopes.begin(), rights.scopes.end(), [&](const Scope& scope) {
    return Grants(scope, verb) && scope.accounts.empty();
  });
}

bool Allows(const Rights& rights, Verb verb, const Subject& subject) {
  if (rights.unlimited) return true;
  return std::any_of(rights.scopes.begin(), rights.scopes.end(), [&](const Scope& scope) {
    if (!Fits(rights, scope, verb, subject)) return false;
    if (scope.nodes.empty()) return true;
    return !subject.nodes.empty() &&
           std::all_of(subject.nodes.begin(), subject.nodes.end(),
                       [&](const std::string& node) { return MatchesAny(scope.nodes, node); });
  });
}

bool AllowsSome(const Rights& rights, Verb verb, const Subject& subject) {
  if (rights.unlimited) return true;
  return std::any_of(rights.scopes.begin(), rights.scopes.end(), [&](const Scope& scope) {
    if (!Fits(rights, scope, verb, subject)) return false;
    return scope.nodes.empty() ||
           std::any_of(subject.nodes.begin(), subject.nodes.end(),
                       [&](const std::string& node) { return MatchesAny(scope.nodes, node); });
  });
}

bool AllowsNode(const Rights& rights, Verb verb, const Subject& subject, absl::string_view node) {
  if (rights.unlimited) return true;
  return std::any_of(rights.scopes.begin(), rights.scopes.end(), [&](const Scope& scope) {
    return Fits(rights, scope, verb, subject) && MatchesAny(scope.nodes, node);
  });
}

bool AllowsAccount(const Rights& rights, Verb verb, absl::string_view domain,
                   absl::string_view account_key) {
  if (rights.unlimited) return true;
  if (rights.own_accounts && (account_key.empty() || account_key != rights.key_id)) return false;
  return std::any_of(rights.scopes.begin(), rights.scopes.end(), [&](const Scope& scope) {
    return Grants(scope, verb) && MatchesAny(scope.accounts, domain);
  });
}

bool AllowsAccountOn(const Rights& rights, Verb verb, absl::string_view domain,
                     absl::string_view account_key, absl::string_view node) {
  if (!AllowsAccount(rights, verb, domain, account_key)) return false;
  return rights.unlimited ||
         std::any_of(rights.scopes.begin(), rights.scopes.end(), [&](const Scope& scope) {
           return Grants(scope, verb) && MatchesAny(scope.accounts, domain) &&
                  MatchesAny(scope.nodes, node);
         });
}

}  // namespace hostq::manager
