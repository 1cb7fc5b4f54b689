// When a node asks for its next certificate.
#include "agent/link/renewal.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/base/error.h"

namespace hostq::agent {
namespace {

constexpr absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);
const absl::Duration kDay = absl::Hours(24);

absl::Status Refused(Reason reason) {
  return MakeError(absl::StatusCode::kPermissionDenied, reason, "no");
}

TEST(RenewalPlanTest, AtHalfOfLifeEachAtItsOwnMoment) {
  absl::Time first = absl::InfiniteFuture();
  absl::Time last = absl::InfinitePast();
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SeededRandom random(seed);
    RenewalPlan plan(random);
    EXPECT_EQ(plan.due(), absl::InfiniteFuture());
    plan.OnCertificate(kNow - absl::Hours(1), kNow + 90 * kDay, kNow);
    first = std::min(first, plan.due());
    last = std::max(last, plan.due());
  }
  EXPECT_GE(first, kNow + 36 * kDay);
  EXPECT_LE(last, kNow + 54 * kDay);
  EXPECT_GT(last - first, 10 * kDay);
}

TEST(RenewalPlanTest, OneThatIsPastItsHalfIsDueNow) {
  SeededRandom random(1);
  RenewalPlan plan(random);
  plan.OnCertificate(kNow - 80 * kDay, kNow + kDay, kNow);
  EXPECT_EQ(plan.due(), kNow);
  plan.OnCertificate(kNow - 80 * kDay, kNow - kDay, kNow);
  EXPECT_EQ(plan.due(), kNow) << "also if it has expired";
}

TEST(RenewalPlanTest, AShortLifeIsNotRenewedWithoutEnd) {
  SeededRandom random(1);
  RenewalPlan plan(random);
  plan.OnCertificate(kNow - absl::Hours(1), kNow + absl::Seconds(20), kNow);
  EXPECT_GE(plan.due(), kNow + absl::Seconds(8));
}

TEST(RenewalPlanTest, WantedAndRefused) {
  SeededRandom random(1);
  RenewalPlan plan(random);
  plan.OnCertificate(kNow, kNow + 90 * kDay, kNow);
  plan.OnWanted(kNow, absl::Minutes(1));
  EXPECT_LE(plan.due(), kNow + absl::Minutes(1));
  plan.OnRefused(kNow);
  EXPECT_EQ(plan.due(), kNow);
  plan.OnFailed(Refused(Reason::kCertificateSuperseded), kNow);
  plan.OnRefused(kNow);
  EXPECT_EQ(plan.due(), kNow + absl::Minutes(5)) << "it was just tried";
}

TEST(RenewalPlanTest, BacksOffAsTheReasonSays) {
  SeededRandom random(1);
  RenewalPlan plan(random);
  plan.OnFailed(Refused(Reason::kRenewalNeedsApproval), kNow);
  EXPECT_EQ(plan.due(), kNow + absl::Minutes(5));
  plan.OnFailed(Refused(Reason::kNodeBanned), kNow);
  EXPECT_EQ(plan.due(), kNow + absl::Minutes(10));
  plan.OnFailed(Refused(Reason::kCertificateSuperseded), kNow);
  EXPECT_EQ(plan.due(), kNow + absl::Hours(1));
  for (int i = 0; i < 20; ++i) {
    plan.OnFailed(absl::UnavailableError("away"), kNow);
    EXPECT_GT(plan.due(), kNow);
    EXPECT_LE(plan.due(), kNow + absl::Hours(1));
  }
}

TEST(RenewalPlanTest, OneThatLivesForMinutesIsAskedForInTime) {
  SeededRandom random(1);
  RenewalPlan plan(random);
  plan.OnCertificate(kNow, kNow + absl::Minutes(10), kNow);
  const absl::Duration longest = absl::Minutes(1);
  for (int i = 0; i < 20; ++i) {
    plan.OnFailed(absl::UnavailableError("away"), kNow);
    EXPECT_LE(plan.due(), kNow + longest);
  }
  plan.OnFailed(Refused(Reason::kNodeBanned), kNow);
  EXPECT_EQ(plan.due(), kNow + longest);
  plan.OnFailed(Refused(Reason::kRenewalNeedsApproval), kNow);
  EXPECT_EQ(plan.due(), kNow + longest);
  plan.OnFailed(Refused(Reason::kCertificateSuperseded), kNow);
  plan.OnRefused(kNow);
  EXPECT_EQ(plan.due(), kNow + longest);
  plan.OnCertificate(kNow, kNow + absl::Minutes(10), kNow);
  plan.OnWanted(kNow, absl::Hours(1));
  EXPECT_LE(plan.due(), kNow + longest);
}

// By more than half of a life: what it is given is past its half at once, for ever.
TEST(RenewalPlanTest, AClockThatIsAheadDoesNotAskWithoutEnd) {
  SeededRandom random(1);
  RenewalPlan plan(random);
  const absl::Time ahead = kNow + 60 * kDay;
  plan.OnRenewed(kNow - absl::Hours(1), kNow + 90 * kDay, ahead);
  EXPECT_EQ(plan.due(), ahead + 9 * kDay);
  plan.OnWanted(ahead, absl::Minutes(1));
  EXPECT_LE(plan.due(), ahead + absl::Minutes(1)) << "the manager may want one all the same";
}

// What is to be waited for is so long from the new time; what the certificate says stays.
TEST(RenewalPlanTest, AClockThatIsSetBackIsFollowed) {
  SeededRandom random(1);
  RenewalPlan plan(random);
  plan.OnCertificate(kNow - 80 * kDay, kNow + kDay, kNow);
  const absl::Time ahead = kNow + 30 * kDay;
  plan.OnFailed(absl::UnavailableError("away"), ahead);
  const absl::Duration wait = plan.due() - ahead;
  plan.OnTime(kNow);
  EXPECT_EQ(plan.due(), kNow + wait);
  plan.OnRefused(kNow);
  EXPECT_LE(plan.due(), kNow + absl::Minutes(5));
  plan.OnWanted(kNow, absl::ZeroDuration());
  EXPECT_EQ(plan.due(), kNow);

  plan.OnCertificate(kNow, kNow + 90 * kDay, ahead);
  const absl::Time half = plan.due();
  plan.OnTime(kNow);
  EXPECT_EQ(plan.due(), half);
}

}  // namespace
}  // namespace hostq::agent
