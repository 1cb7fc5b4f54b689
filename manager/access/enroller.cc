#include "manager/access/enroller.h"

#include <optional>

#include "common/base/error.h"
#include "common/crypto/key.h"

namespace hostq::manager {

absl::StatusOr<Enrollment> Enroller::Enroll(const SecretString& token, absl::string_view csr_pem,
                                            absl::string_view peer_address) {
  HOSTQ_RETURN_IF_ERROR(limiter_.Check(RateLimitSource(peer_address), clock_.Monotonic()));
  HOSTQ_ASSIGN_OR_RETURN(const CertificateRequest request, ParseCertificateRequest(csr_pem));
  const std::string key_hash = request.key.Hash();
  HOSTQ_ASSIGN_OR_RETURN(const std::string id, JoinTokenId(token));
  HOSTQ_ASSIGN_OR_RETURN(const std::optional<JoinToken> record, store_.GetToken(id));
  const absl::Time now = clock_.Now();
  HOSTQ_RETURN_IF_ERROR(CheckJoinToken(token, record ? &*record : nullptr, key_hash, now));
  // Two keys may have come this far at once: the store's transaction lets one of them pass.
  HOSTQ_ASSIGN_OR_RETURN(const JoinToken bound, store_.BindToken(id, key_hash));
  const NodeIdentity node = {bound.node, bound.incarnation};
  HOSTQ_ASSIGN_OR_RETURN(IssuedCertificate certificate,
                         authority_.IssueNode(csr_pem, node, options_.certificate_life, now));
  return Enrollment{node,
                    std::move(certificate.pem),
                    authority_.ca_pem(),
                    options_.manager_address,
                    std::move(certificate.serial),
                    certificate.not_after};
}

}  // namespace hostq::manager
