#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "common/crypto/secret.h"

namespace hostq {

// The name in the manager's certificate (a DNS name), whatever address it is reached on.
inline constexpr absl::string_view kManagerName = "hostq-manager";

// What one side of a connection shows of itself.
struct TlsIdentity {
  // Its certificate first, then the authority's (which FetchCaByPin needs to see).
  std::string certificate_chain_pem;
  SecretString private_key_pem;
};

// Who a node's certificate says it is.
struct NodeIdentity {
  std::string name;
  // Counts the node's enrolments: a machine that was set up again is not the one before it. > 0.
  int64_t incarnation = 0;

  friend bool operator==(const NodeIdentity&, const NodeIdentity&) = default;
};

// "hostq://node/NAME/INCARNATION", the URI in a node's certificate.
std::string FormatNodeUri(const NodeIdentity& node);
// Nothing if it is not exactly one. The name is a lower-case letter, then letters, digits or '-';
// at most 63.
std::optional<NodeIdentity> ParseNodeUri(absl::string_view uri);
bool IsNodeName(absl::string_view name);

}  // namespace hostq
