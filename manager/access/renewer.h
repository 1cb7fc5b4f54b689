#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "manager/access/authority_set.h"
#include "manager/access/certificate_store.h"
#include "manager/access/rate_limiter.h"

namespace hostq::manager {

inline constexpr absl::Duration kRenewalGrace = absl::Hours(24 * 90);

// See hostq.agent.v1.RenewRequest.
struct RenewalRequest {
  std::string certificate_pem;
  std::string csr_pem;
  std::string authority_pin;
  std::string signature;
};

// What the node gets.
struct Renewal {
  ShownCertificate certificate;
  std::string certificate_pem;
  std::string ca_pem;
};

// All of the RPC Renew but gRPC: another certificate for a new key, for whoever has the key of the
// node's present one, also if that has expired. Thread-safe.
class Renewer {
 public:
  struct Options {
    absl::Duration certificate_life = kNodeCertificateLife;
    absl::Duration grace = kRenewalGrace;
    RateLimiter::Options rate;
  };
  // `authorities`, `store` and `clock` must outlive it.
  Renewer(const AuthoritySet& authorities, CertificateStore& store, Clock& clock, Options options)
      : authorities_(authorities),
        store_(store),
        clock_(clock),
        options_(options),
        limiter_(options_.rate) {}

  // What was issued is durable when this returns. A certificate of an authority that was retired is
  // none of this cluster's any more. Blocks on the store. `source`: the caller's address without
  // the port. Errors: as in EnrollmentService.Renew.
  absl::StatusOr<Renewal> Renew(const RenewalRequest& request, absl::string_view source);

 private:
  absl::StatusOr<ShownCertificate> Verify(const RenewalRequest& request, absl::Time now) const;

  const AuthoritySet& authorities_;
  CertificateStore& store_;
  Clock& clock_;
  const Options options_;
  RateLimiter limiter_;
};

}  // namespace hostq::manager
