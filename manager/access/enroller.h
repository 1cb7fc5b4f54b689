#pragma once

#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/crypto/secret.h"
#include "manager/access/authority_set.h"
#include "manager/access/rate_limiter.h"
#include "manager/access/token_store.h"

namespace hostq::manager {

// What a node gets for its token.
struct Enrollment {
  NodeIdentity node;
  std::string certificate_pem;
  // All that are trusted.
  std::string ca_pem;
  // "HOST:PORT" of the agents' listener.
  std::string manager_address;
  std::string serial;
  absl::Time start_time;
  absl::Time expire_time;
  // The pin of who signed it.
  std::string authority;
};

// All of the RPC Enroll but gRPC. Thread-safe.
class Enroller {
 public:
  struct Options {
    std::string manager_address;
    absl::Duration certificate_life = kNodeCertificateLife;
    RateLimiter::Options rate;
  };
  // `authorities`, `store` and `clock` must outlive it.
  Enroller(const AuthoritySet& authorities, TokenStore& store, Clock& clock, Options options)
      : authorities_(authorities),
        store_(store),
        clock_(clock),
        options_(std::move(options)),
        limiter_(options_.rate) {}

  // Binds the token to the key in the request and signs a certificate for it. The same token with
  // the same key, before it expires, gets a new certificate of the same incarnation; any other
  // key is refused. OK only after the binding is durable. Blocks on the store.
  // `peer_address` is the caller's address without the port (PeerAddress in common/rpc).
  // Errors: RESOURCE_EXHAUSTED (too many attempts from that address: nothing was looked at);
  // INVALID_ARGUMENT (INVALID_ARGUMENT: the request for a certificate); PERMISSION_DENIED
  // (TOKEN_INVALID, TOKEN_EXPIRED, TOKEN_USED, SOURCE_NOT_ALLOWED, NODE_BANNED);
  // FAILED_PRECONDITION (NO_BUILT_IN_AUTHORITY); UNAVAILABLE (STORE_UNAVAILABLE). No error says
  // anything of the token.
  absl::StatusOr<Enrollment> Enroll(const SecretString& token, absl::string_view csr_pem,
                                    absl::string_view peer_address);

 private:
  // Counts wrong secrets for a token that there is.
  void WrongSecret(const JoinToken& token, absl::string_view source);

  const AuthoritySet& authorities_;
  TokenStore& store_;
  Clock& clock_;
  const Options options_;
  RateLimiter limiter_;
  Mutex mutex_;
  absl::flat_hash_map<std::string, int> wrong_ ABSL_GUARDED_BY(mutex_);  // by token
};

}  // namespace hostq::manager
