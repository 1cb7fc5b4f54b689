#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace hostq::manager {

// What an API key may (docs/reference/keys.md). Everything here is pure.

enum class Verb {
  kNone,     // no key may
  kRead,     // get, list, watch, explain
  kSubmit,   // new commands
  kAct,      // retry, skip, cancel
  kOperate,  // pause and resume, preflights, pings
  kAdmin,    // everything an administrator may, except what is for the local socket only
};
absl::string_view NameOf(Verb verb);

// VERB[:KINDS[:NODES[:ACCOUNTS]]]: each part a list with commas of names with `*`; a missing or
// empty part is everything of it.
struct Scope {
  Verb verb = Verb::kNone;
  // Empty: all.
  std::vector<std::string> kinds;
  std::vector<std::string> nodes;
  std::vector<std::string> accounts;

  // As it is parsed: without what means everything.
  std::string text() const;
  friend bool operator==(const Scope&, const Scope&) = default;
};

// Errors: INVALID_ARGUMENT (INVALID_ARGUMENT): which part is wrong, and what is wanted.
absl::StatusOr<Scope> ParseScope(absl::string_view text);
// `*` stands for any characters, none included.
bool MatchesName(absl::string_view pattern, absl::string_view name);

// What a key, or somebody without limits, may do.
struct Rights {
  // An administrator: everything.
  bool unlimited = false;
  std::vector<Scope> scopes;
  // Only accounts with this key's id, and what it has submitted itself.
  bool own_accounts = false;
  std::string key_id;
  std::string actor;  // "key/NAME"
  // Of the key: what somebody of the same actor did before was another key.
  absl::Time create_time = absl::InfinitePast();
};

// What is read or done something to. What is empty is not about any such thing.
struct Subject {
  std::string kind;
  // All nodes that it goes to.
  std::vector<std::string> nodes;
  // Domain of the account that it is about, and the id of the key that created that account, and
  // when: what was before was about another account of the same name.
  std::string account;
  std::string account_key;
  absl::Time account_create_time = absl::InfinitePast();
  // Who submitted it and when; empty: it is no command yet.
  std::string actor;
  absl::Time create_time = absl::InfinitePast();
};

// Whether some scope has the verb, whatever else it says.
bool HasVerb(const Rights& rights, Verb verb);
// Whether the verb is granted for everything.
bool AllowsEverything(const Rights& rights, Verb verb);
// Whether it is granted for some scope that is not limited to accounts.
bool AllowsBeyondAccounts(const Rights& rights, Verb verb);
// Whether it is granted for the subject, all of whose nodes must be granted by one scope. A scope
// with nodes does not grant what goes to none.
bool Allows(const Rights& rights, Verb verb, const Subject& subject);
// The same, and one of its nodes is enough: for what is shown in part.
bool AllowsSome(const Rights& rights, Verb verb, const Subject& subject);
// Whether any scope of the verb that fits the subject otherwise covers this node.
bool AllowsNode(const Rights& rights, Verb verb, const Subject& subject, absl::string_view node);
// Of the account alone: kinds and nodes are not looked at.
bool AllowsAccount(const Rights& rights, Verb verb, absl::string_view domain,
                   absl::string_view account_key);
// The same, for what is there of the account on one node: kinds are not looked at.
bool AllowsAccountOn(const Rights& rights, Verb verb, absl::string_view domain,
                     absl::string_view account_key, absl::string_view node);

}  // namespace hostq::manager
