#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/crypto/identity.h"
#include "common/crypto/secret.h"

namespace hostq::cli {

// Where the manager is, and how to show who asks. Either its socket, or its API with an
// administrator's identity or an API key.
struct Endpoint {
  std::string socket;
  // "HOST:PORT"; empty: the socket.
  std::string manager;
  // By which the manager is recognized.
  std::string ca_pem;
  // An administrator's; without a certificate if there is a key.
  TlsIdentity identity;
  SecretString key;

  bool remote() const { return !manager.empty(); }
};

// As options or variables say; empty: not given.
struct EndpointFiles {
  std::string socket;
  std::string manager;
  std::string identity;
  std::string key;
  std::string ca;
};

// Reads the files; blocks on the disk. Errors: usage errors (too many of them, or too few), and
// what is wrong with a file: not there, readable by others, not what it should be. No secret is in
// a message.
absl::StatusOr<Endpoint> OpenEndpoint(const EndpointFiles& files);

// Why a manager's API does not answer, with what to do: connects once more to find out what TLS has
// against it, at most 5 s. The code is that of `status`.
absl::Status WhyRemoteFailed(const Endpoint& endpoint, const absl::Status& status);

// An identity's file: key, certificate, then the authorities'.
SecretString FormatIdentity(const SecretString& key_pem, const std::string& certificate_pem,
                            const std::string& ca_pem);

}  // namespace hostq::cli
