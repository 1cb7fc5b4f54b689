#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/base/backoff.h"
#include "common/base/random.h"

namespace hostq::agent {

// When a node asks for its next certificate. Pure: time comes in. Belongs to one thread. No wait is
// longer than a tenth of the certificate's life: one that lives for minutes is asked for in time.
class RenewalPlan {
 public:
  explicit RenewalPlan(Random& random) : random_(random) {}

  // The node has this certificate now: due at half of its life, a tenth of it sooner or later, so
  // that nodes that joined together do not ask together.
  void OnCertificate(absl::Time not_before, absl::Time not_after, absl::Time now);
  // The same of one that was asked for and given: the next one is not due before a tenth of its
  // life is over, whatever this machine's clock says.
  void OnRenewed(absl::Time not_before, absl::Time not_after, absl::Time now);
  // The manager wants it: due at some moment within `spread`, if it is not due before.
  void OnWanted(absl::Time now, absl::Duration spread);
  // The present certificate was refused: another one may help. Due now, unless it was just tried.
  void OnRefused(absl::Time now);
  // It was asked for in vain. What an administrator has to decide is asked again every few minutes.
  void OnFailed(const absl::Status& status, absl::Time now);

  // The clock says so. If it was set back, the end of a wait is set back with it; what the
  // certificate says is not. All others do that with theirs.
  void OnTime(absl::Time now);

  absl::Time due() const { return due_; }

 private:
  absl::Duration AtMost(absl::Duration wait) const;

  Random& random_;
  absl::Time seen_ = absl::InfinitePast();  // by the clock, the last time
  absl::Time half_ = absl::InfiniteFuture();
  absl::Time due_ = absl::InfiniteFuture();  // half_, or the end of a wait
  absl::Time tried_ = absl::InfinitePast();
  absl::Duration life_ = absl::InfiniteDuration();
  int failures_ = 0;
};

}  // namespace hostq::agent
