#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "manager/access/join_token.h"

namespace hostq::manager {

// Where join tokens and the nodes' incarnations are kept. Calls block until the answer is durable;
// thread-safe. Errors: UNAVAILABLE (STORE_UNAVAILABLE) besides those named.
class TokenStore {
 public:
  virtual ~TokenStore() = default;

  // Nothing if there is none, or it was made void by a newer one or by the node's removal.
  virtual absl::StatusOr<std::optional<JoinToken>> GetToken(const std::string& id) = 0;

  // In one transaction: if no key has used the token yet, binds it to `key_hash`, counts the node's
  // incarnation up by one and records key hash and incarnation with the token; if that key has used
  // it already, changes nothing. Returns the token as it is now kept.
  // Errors: PERMISSION_DENIED (TOKEN_USED: bound to another key, also when both came at once;
  // TOKEN_INVALID: there is no such token or node any more).
  virtual absl::StatusOr<JoinToken> BindToken(const std::string& id,
                                              const std::string& key_hash) = 0;

  // Somebody who must not have it tried to use it, from `source`: `what` says how. Does not wait.
  virtual void Misused(const JoinToken& token, absl::string_view what,
                       absl::string_view source) = 0;
};

}  // namespace hostq::manager
