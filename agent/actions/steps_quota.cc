#include <algorithm>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "agent/actions/steps.h"
#include "agent/host/evidence.h"
#include "common/base/error.h"
#include "common/base/text.h"

namespace hostq::agent {
namespace {

// A program that keeps the quotas is run up to five times, for at most 20 s.
constexpr absl::Duration kQuotaTimeout = absl::Minutes(2);

// Quotas are kept in units of 1 KiB, and told in units that may be larger.
bool Matches(const Quota& quota, int64_t wanted) {
  const int64_t rounded = (wanted + 1023) / 1024 * 1024;
  if ((quota.hard_bytes == 0) != (rounded == 0)) return false;
  return std::llabs(quota.hard_bytes - rounded) < std::max<int64_t>(quota.unit, 1);
}

absl::Status Mismatch(const Mount& mount, uint32_t uid, const Quota& quota, int64_t wanted) {
  return WithEvidence(
      WithEvidence(
          MakeError(absl::StatusCode::kFailedPrecondition, Reason::kQuotaMismatch,
                    absl::StrCat("the quota of uid ", uid, " on ", mount.mount_point, " is ",
                                 FormatSize(quota.hard_bytes), " instead of ", FormatSize(wanted))),
          "expected", FormatSize(wanted)),
      "actual", FormatSize(quota.hard_bytes));
}

void AddEvidence(const Mount& mount, const Quota& quota, StepResult* result) {
  result->evidence["limit"] = FormatSize(quota.hard_bytes);
  result->evidence["used"] = absl::StrCat(quota.used_bytes);
  result->evidence["source"] = mount.source;
}

// Without quotas nothing limits anybody: as asked for, if no limit was asked for.
bool IsUnlimitedAnyway(const absl::Status& status, int64_t wanted) {
  const Reason reason = ReasonOf(status);
  return wanted == 0 &&
         (reason == Reason::kQuotaNotEnabled || reason == Reason::kQuotaUnsupportedFilesystem ||
          reason == Reason::kQuotaSwitchedOff);
}

// The administrator's choice keeps nobody from having an account; that there is no limit is said.
StepResult NotKept(const absl::Status& status, int64_t wanted) {
  StepResult result = Warned(status);
  absl::StrAppend(&result.message, ": the limit of ", FormatSize(wanted), " is not kept");
  return result;
}

absl::StatusOr<StepResult> SetQuota(Host& host, const v1::Account& account, const HomePlace& place,
                                    int64_t wanted) {
  const uint32_t uid = account.uid();
  // Taking a limit away is also for what is left of an account.
  HOSTQ_RETURN_IF_ERROR(wanted == 0 ? CheckIdentity(host, account)
                                    : FindOwnUser(host, account).status());
  HOSTQ_ASSIGN_OR_RETURN(const Mount mount, FindHomeMount(host, account, place));
  const auto before = host.quotas().Get(mount, uid);
  if (IsUnlimitedAnyway(before.status(), wanted)) {
    return Skipped(absl::StrCat("no limit: there are no quotas on ", mount.mount_point));
  }
  if (ReasonOf(before.status()) == Reason::kQuotaSwitchedOff) {
    return NotKept(before.status(), wanted);
  }
  if (!before.ok()) return before.status();
  // Limits can be written and read back where nothing enforces them.
  if (wanted != 0) HOSTQ_RETURN_IF_ERROR(host.quotas().CheckEnforced(mount));
  const std::string so =
      absl::StrCat("quota of uid ", uid, " on ", mount.mount_point, " is ", FormatSize(wanted));
  StepResult result = Unchanged(so);
  Quota now = *before;
  // A soft limit, which is not ours, would end in refused writes after a week.
  if (!Matches(*before, wanted) || before->soft_bytes != 0) {
    HOSTQ_RETURN_IF_ERROR(host.quotas().Set(mount, uid, wanted));
    HOSTQ_ASSIGN_OR_RETURN(now, host.quotas().Get(mount, uid));
    if (!Matches(now, wanted)) return Mismatch(mount, uid, now, wanted);
    result = Changed(so);
    result.evidence["before"] = FormatSize(before->hard_bytes);
  }
  if (wanted != 0 && now.used_bytes > wanted) {
    absl::StrAppend(&result.message, "; more is in use already: ", now.used_bytes, " bytes");
  }
  AddEvidence(mount, now, &result);
  return result;
}

absl::StatusOr<StepResult> VerifyQuota(Host& host, const v1::Account& account,
                                       const HomePlace& place) {
  HOSTQ_ASSIGN_OR_RETURN(const Mount mount, FindHomeMount(host, account, place));
  const auto quota = host.quotas().Get(mount, account.uid());
  const int64_t wanted = account.quota_bytes();
  if (IsUnlimitedAnyway(quota.status(), wanted)) {
    return Skipped(absl::StrCat("no limit: there are no quotas on ", mount.source));
  }
  if (ReasonOf(quota.status()) == Reason::kQuotaSwitchedOff) {
    return NotKept(quota.status(), wanted);
  }
  if (!quota.ok() && wanted == 0) return Warned(quota.status());  // nothing to enforce
  if (!quota.ok()) return quota.status();
  if (!Matches(*quota, wanted)) return Mismatch(mount, account.uid(), *quota, wanted);
  StepResult result = Unchanged(absl::StrCat("quota of uid ", account.uid(), " on ", mount.source,
                                             " is ", FormatSize(wanted)));
  AddEvidence(mount, *quota, &result);
  return result;
}

}  // namespace

Step SetQuotaStep(const v1::Account& account, const HomePlace& place) {
  return MakeStep(
      "quota",
      [account, place](Host& host) {
        return SetQuota(host, account, place, account.quota_bytes());
      },
      kQuotaTimeout);
}

Step VerifyQuotaStep(const v1::Account& account, const HomePlace& place) {
  return MakeStep(
      "quota", [account, place](Host& host) { return VerifyQuota(host, account, place); },
      kQuotaTimeout);
}

Step ClearQuotaStep(const v1::Account& account, const HomePlace& place) {
  return RemovalStep(
      "quota", account, [account, place](Host& host) { return SetQuota(host, account, place, 0); },
      kQuotaTimeout);
}

}  // namespace hostq::agent
