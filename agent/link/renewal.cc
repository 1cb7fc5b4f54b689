#include "agent/link/renewal.h"

#include <algorithm>

#include "common/base/error.h"
#include "common/crypto/identity.h"

namespace hostq::agent {
namespace {

constexpr double kJitter = 0.1;
// The manager may be away for a while; a certificate has half of its life left.
constexpr BackoffPolicy kRetry{absl::Seconds(30), absl::Hours(1), 2, 0.2};
// What an administrator has to decide.
constexpr absl::Duration kApprovalRetry = absl::Minutes(5);
constexpr absl::Duration kBannedRetry = absl::Minutes(10);
constexpr absl::Duration kSupersededRetry = absl::Hours(1);
// After a refusal of the certificate nothing is gained by asking more often.
constexpr absl::Duration kRefusedRetry = absl::Minutes(5);

}  // namespace

absl::Duration RenewalPlan::AtMost(absl::Duration wait) const { return std::min(wait, life_ / 10); }

void RenewalPlan::OnTime(absl::Time now) {
  if (now < seen_) {
    tried_ -= seen_ - now;
    if (due_ != half_) due_ -= seen_ - now;
  }
  seen_ = now;
}

void RenewalPlan::OnCertificate(absl::Time not_before, absl::Time not_after, absl::Time now) {
  OnTime(now);
  failures_ = 0;
  tried_ = absl::InfinitePast();
  // It begins to be valid before it is issued.
  if (not_after - not_before > kCertificateBackdating) not_before += kCertificateBackdating;
  life_ = not_after - not_before;
  half_ = not_before + life_ * (0.5 + kJitter * (2 * random_.Fraction() - 1));
  due_ = std::max(half_, now);
}

void RenewalPlan::OnRenewed(absl::Time not_before, absl::Time not_after, absl::Time now) {
  OnCertificate(not_before, not_after, now);
  due_ = std::max(due_, now + life_ / 10);
}

void RenewalPlan::OnWanted(absl::Time now, absl::Duration spread) {
  OnTime(now);
  due_ = std::min(due_, now + AtMost(spread) * random_.Fraction());
}

void RenewalPlan::OnRefused(absl::Time now) {
  OnTime(now);
  due_ = std::min(due_, std::max(now, tried_ + AtMost(kRefusedRetry)));
}

void RenewalPlan::OnFailed(const absl::Status& status, absl::Time now) {
  OnTime(now);
  tried_ = now;
  switch (ReasonOf(status)) {
    case Reason::kRenewalNeedsApproval:
      due_ = now + AtMost(kApprovalRetry);
      return;
    case Reason::kNodeBanned:
      due_ = now + AtMost(kBannedRetry);
      return;
    case Reason::kCertificateSuperseded:
    case Reason::kNoBuiltInAuthority:
    case Reason::kNotAuthorized:
      due_ = now + AtMost(kSupersededRetry);
      return;
    default:
      due_ = now + AtMost(BackoffDelay(kRetry, ++failures_, random_));
  }
}

}  // namespace hostq::agent
