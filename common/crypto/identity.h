#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/crypto/secret.h"

namespace hostq {

// The name in the manager's certificate (a DNS name), whatever address it is reached on.
inline constexpr absl::string_view kManagerName = "hostq-manager";

// So long before it is issued a certificate begins to be valid: clocks of nodes that are behind
// must not find it not yet valid.
inline constexpr absl::Duration kCertificateBackdating = absl::Hours(1);

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

// What a node signs with the key of its certificate to get another one for the key in `csr_pem`.
std::string RenewalText(absl::string_view authority_pin, absl::string_view csr_pem);

// "hostq://node/NAME/INCARNATION", the URI in a node's certificate.
std::string FormatNodeUri(const NodeIdentity& node);
// Nothing if it is not exactly one. The name is a lower-case letter, then letters, digits or '-';
// at most 63.
std::optional<NodeIdentity> ParseNodeUri(absl::string_view uri);
bool IsNodeName(absl::string_view name);

// "hostq://admin/NAME", the URI in an administrator's certificate; the name is as a node's.
std::string FormatAdministratorUri(absl::string_view name);
// The name. Nothing if it is not exactly one.
std::optional<std::string> ParseAdministratorUri(absl::string_view uri);

}  // namespace hostq
