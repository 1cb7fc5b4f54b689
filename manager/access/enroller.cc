#include "manager/access/enroller.h"

#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/crypto/key.h"

namespace hostq::manager {

namespace {

// A word mistyped now and then is nothing to look into.
constexpr int kWrongSecrets = 3;
// More than a cluster has nodes.
constexpr size_t kMaxCounted = 10'000;

}  // namespace

void Enroller::WrongSecret(const JoinToken& token, absl::string_view source) {
  int count = 0;
  {
    const MutexLock lock(mutex_);
    if (wrong_.size() >= kMaxCounted) wrong_.clear();
    count = ++wrong_[token.id];
  }
  if (count >= kWrongSecrets) store_.Misused(token, "wrong secrets were shown for it", source);
}

absl::StatusOr<Enrollment> Enroller::Enroll(const SecretString& token, absl::string_view csr_pem,
                                            absl::string_view peer_address) {
  HOSTQ_RETURN_IF_ERROR(limiter_.Check(RateLimitSource(peer_address), clock_.Monotonic()));
  const std::shared_ptr<const CertificateAuthority> issuing = authorities_.issuing();
  if (issuing == nullptr) {
    return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kNoBuiltInAuthority,
                     "this cluster's certificates come from outside");
  }
  HOSTQ_ASSIGN_OR_RETURN(const CertificateRequest request, ParseCertificateRequest(csr_pem));
  const std::string key_hash = request.key.Hash();
  HOSTQ_ASSIGN_OR_RETURN(const std::string id, JoinTokenId(token));
  HOSTQ_ASSIGN_OR_RETURN(const std::optional<JoinToken> record, store_.GetToken(id));
  const absl::Time now = clock_.Now();
  absl::Status good = CheckJoinToken(token, record ? &*record : nullptr, key_hash, now);
  if (record && ReasonOf(good) == Reason::kTokenInvalid) WrongSecret(*record, peer_address);
  if (record && good.ok() && !InAnyRange(record->sources, peer_address)) {
    good = MakeError(absl::StatusCode::kPermissionDenied, Reason::kSourceNotAllowed,
                     absl::StrCat("the join token for node ", record->node,
                                  " may not be used from ", peer_address));
  }
  // Two keys may have come this far at once: the store's transaction lets one of them pass.
  const absl::StatusOr<JoinToken> bound =
      good.ok() ? store_.BindToken(id, key_hash) : absl::StatusOr<JoinToken>(good);
  if (record && ReasonOf(bound.status()) == Reason::kTokenUsed) {
    store_.Misused(*record, "it was shown with another key than the one that used it",
                   peer_address);
  }
  HOSTQ_RETURN_IF_ERROR(bound.status());
  const NodeIdentity node = {bound->node, bound->incarnation};
  HOSTQ_ASSIGN_OR_RETURN(IssuedCertificate certificate,
                         issuing->IssueNode(csr_pem, node, options_.certificate_life, now));
  return Enrollment{node,
                    std::move(certificate.pem),
                    authorities_.trusted_pem(),
                    options_.manager_address,
                    std::move(certificate.serial),
                    certificate.not_before,
                    certificate.not_after,
                    std::move(certificate.authority)};
}

}  // namespace hostq::manager
