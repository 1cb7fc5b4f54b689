#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "manager/domain/shown_certificate.h"

namespace hostq::manager {

// What the cluster knows of its nodes' certificates. Calls block until the answer is durable;
// thread-safe. Errors: UNAVAILABLE (STORE_UNAVAILABLE) besides those named.
class CertificateStore {
 public:
  virtual ~CertificateStore() = default;

  // Somebody who has the key of this certificate, from `source`, asks for another one. It is the
  // current one from now on. `beyond_grace`: it has expired for so long that this needs an
  // approval. Errors: PERMISSION_DENIED (NOT_AUTHORIZED, NODE_BANNED; CERTIFICATE_SUPERSEDED and
  // RENEWAL_NEEDS_APPROVAL, which raise an alarm).
  virtual absl::Status MayRenew(const ShownCertificate& shown, bool beyond_grace,
                                absl::string_view source) = 0;

  // Another one was issued to the node, which asked for it from `source`; stands in the audit when
  // this returns. Errors: PERMISSION_DENIED (NOT_AUTHORIZED, NODE_BANNED).
  virtual absl::Status Issued(const ShownCertificate& issued, absl::string_view source) = 0;
};

}  // namespace hostq::manager
