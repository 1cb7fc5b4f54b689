#include "manager/access/renewer.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "common/base/error.h"
#include "common/crypto/certificate.h"
#include "common/crypto/identity.h"
#include "common/crypto/key.h"

namespace hostq::manager {
namespace {

constexpr size_t kMaxCertificate = 16 << 10;
constexpr size_t kMaxSignature = 256;

absl::Status Refused(absl::string_view why) {
  return MakeError(absl::StatusCode::kUnauthenticated, Reason::kUnauthenticated, why);
}

absl::Status TooLarge(const RenewalRequest& request) {
  if (request.certificate_pem.size() <= kMaxCertificate &&
      request.signature.size() <= kMaxSignature) {
    return absl::OkStatus();
  }
  return MakeError(absl::StatusCode::kInvalidArgument, Reason::kRequestTooLarge,
                   "the request is larger than a certificate and a signature are");
}

}  // namespace

absl::StatusOr<ShownCertificate> Renewer::Verify(const RenewalRequest& request,
                                                 absl::Time now) const {
  HOSTQ_ASSIGN_OR_RETURN(const CertificateInfo info, ParseCertificate(request.certificate_pem));
  HOSTQ_ASSIGN_OR_RETURN(const PublicKey key, CertificateKey(request.certificate_pem));
  const std::vector<std::string> pins = authorities_.trusted_pins();
  if (std::find(pins.begin(), pins.end(), request.authority_pin) == pins.end()) {
    return Refused("the node knows none of this cluster's authorities");
  }
  if (!key.Verifies(RenewalText(request.authority_pin, request.csr_pem), request.signature)) {
    return Refused("the signature is not of the certificate's key");
  }
  if (now < info.not_before) return Refused("the certificate is not valid yet");
  // It may have expired: then it is looked at as it was in its last second.
  const absl::Time valid = std::min(now, info.not_after - absl::Seconds(1));
  const std::string trusted = authorities_.trusted_pem();
  if (!VerifyCertificate(request.certificate_pem, trusted, CertificateSpec::Use::kClient, valid)
           .ok()) {
    return Refused("the certificate is of no authority that this cluster trusts");
  }
  const std::optional<NodeIdentity> node =
      info.uris.size() == 1 ? ParseNodeUri(info.uris[0]) : std::nullopt;
  if (!node) return Refused("the certificate is not a node's");
  HOSTQ_ASSIGN_OR_RETURN(const std::string signer, SignerOf(request.certificate_pem, trusted));
  return ShownCertificate{node->name,      node->incarnation, info.serial,
                          info.not_before, info.not_after,    signer};
}

absl::StatusOr<Renewal> Renewer::Renew(const RenewalRequest& request, absl::string_view source) {
  HOSTQ_RETURN_IF_ERROR(limiter_.Check(RateLimitSource(source), clock_.Monotonic()));
  const std::shared_ptr<const CertificateAuthority> issuing = authorities_.issuing();
  if (issuing == nullptr) {
    return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kNoBuiltInAuthority,
                     "this cluster's certificates come from outside");
  }
  HOSTQ_RETURN_IF_ERROR(TooLarge(request));
  HOSTQ_RETURN_IF_ERROR(ParseCertificateRequest(request.csr_pem).status());
  const absl::Time now = clock_.Now();
  HOSTQ_ASSIGN_OR_RETURN(const ShownCertificate shown, Verify(request, now));
  const bool beyond_grace = now > shown.not_after + options_.grace;
  HOSTQ_RETURN_IF_ERROR(store_.MayRenew(shown, beyond_grace, source));
  HOSTQ_ASSIGN_OR_RETURN(IssuedCertificate issued,
                         issuing->IssueNode(request.csr_pem, {shown.node, shown.incarnation},
                                            options_.certificate_life, now));
  const ShownCertificate next = {shown.node,        shown.incarnation, issued.serial,
                                 issued.not_before, issued.not_after,  issued.authority};
  HOSTQ_RETURN_IF_ERROR(store_.Issued(next, source));
  return Renewal{next, std::move(issued.pem), authorities_.trusted_pem()};
}

}  // namespace hostq::manager
