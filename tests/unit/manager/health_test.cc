// Goal: each check of the manager's health says what it found, and what to do, in every state.
// Method: facts made by hand; and the real machine, as far as it is the same everywhere.
#include "manager/health/checks.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"

namespace hostq::manager {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);
constexpr int64_t kGiB = int64_t{1} << 30;
constexpr int64_t kMiB = int64_t{1} << 20;

// What is not well says why and what to do; what is well says neither.
void Expect(const HealthCheck& check, CheckStatus status, Reason reason = Reason::kNone) {
  EXPECT_EQ(check.status, status) << check.id << ": " << check.message;
  EXPECT_EQ(check.reason, reason) << check.id << ": " << check.message;
  EXPECT_NE(check.message, "") << check.id;
  const bool bad = status == CheckStatus::kWarning || status == CheckStatus::kFailed;
  EXPECT_EQ(bad, !check.remedy.empty()) << check.id << ": " << check.remedy;
}

TEST(HealthTest, Store) {
  Expect(CheckStore(absl::OkStatus()), CheckStatus::kOk);
  Expect(CheckStore(MakeError(absl::StatusCode::kUnavailable, Reason::kStoreUnavailable, "full")),
         CheckStatus::kFailed, Reason::kStoreUnavailable);
}

TEST(HealthTest, DiskFree) {
  const auto check = [](int64_t total, int64_t free, int64_t files = 0, int64_t free_files = 0) {
    return CheckDiskFree("/state", DiskSpace{total, free, files, free_files});
  };
  Expect(check(100 * kGiB, 50 * kGiB), CheckStatus::kOk);
  Expect(check(100 * kGiB, 4 * kGiB), CheckStatus::kWarning, Reason::kDiskLow);
  Expect(check(4 * kGiB, kGiB - 1), CheckStatus::kWarning, Reason::kDiskLow);
  Expect(check(4 * kGiB, kGiB), CheckStatus::kOk);
  Expect(check(100 * kGiB, 64 * kMiB - 1), CheckStatus::kFailed, Reason::kDiskLow);
  Expect(check(100 * kGiB, 0), CheckStatus::kFailed, Reason::kDiskLow);
  Expect(check(0, 0), CheckStatus::kFailed, Reason::kDiskLow);
  Expect(check(100 * kGiB, 50 * kGiB, 1'000'000, 999), CheckStatus::kWarning, Reason::kDiskLow);
  Expect(check(100 * kGiB, 50 * kGiB, 1'000'000, 0), CheckStatus::kFailed, Reason::kDiskLow);
  EXPECT_TRUE(absl::StrContains(check(kGiB, 0).remedy, "/state")) << check(kGiB, 0).remedy;
  Expect(CheckDiskFree("/state", absl::NotFoundError("no such directory")), CheckStatus::kSkipped);
}

TEST(HealthTest, DiskWrite) {
  const auto check = [](std::vector<absl::Duration> writes) {
    return CheckDiskWrite("/state", std::move(writes));
  };
  const auto ms = [](int n) { return absl::Milliseconds(n); };
  Expect(check({ms(1), ms(2), ms(3)}), CheckStatus::kOk);
  // One that is slow is no trouble.
  Expect(check({ms(1), ms(2), ms(3), ms(4), ms(5000)}), CheckStatus::kOk);
  Expect(check({ms(100), ms(200), ms(300)}), CheckStatus::kWarning, Reason::kStoreSlow);
  Expect(check({ms(3000)}), CheckStatus::kFailed, Reason::kStoreSlow);
  Expect(CheckDiskWrite("/state", absl::ResourceExhaustedError("No space left on device")),
         CheckStatus::kFailed, Reason::kDiskLow);
  Expect(CheckDiskWrite("/state", absl::InternalError("Input/output error")), CheckStatus::kFailed,
         Reason::kStoreUnavailable);
  EXPECT_EQ(check({ms(3), ms(1), ms(2)}).evidence.at("median"), "2.0 ms");
}

TEST(HealthTest, DatabaseSize) {
  Expect(CheckDatabaseSize(DatabaseSize{5 * kGiB, 4 * kMiB, 0}), CheckStatus::kOk);
  Expect(CheckDatabaseSize(DatabaseSize{kMiB, 256 * kMiB, 0}), CheckStatus::kWarning,
         Reason::kStoreSlow);
  Expect(CheckDatabaseSize(absl::PermissionDeniedError("no")), CheckStatus::kSkipped);
}

TEST(HealthTest, QueueLag) {
  const auto check = [](absl::Duration answer, absl::Duration sweep) {
    return CheckQueueLag(EngineLag{answer, sweep}, absl::Seconds(5));
  };
  Expect(check(absl::Milliseconds(2), absl::Milliseconds(250)), CheckStatus::kOk);
  Expect(check(absl::Seconds(1), absl::ZeroDuration()), CheckStatus::kWarning, Reason::kSweepStale);
  Expect(check(absl::ZeroDuration(), absl::Seconds(5)), CheckStatus::kWarning, Reason::kSweepStale);
  Expect(CheckQueueLag(std::nullopt, absl::Seconds(5)), CheckStatus::kFailed, Reason::kSweepStale);
}

TEST(HealthTest, Clock) {
  Expect(CheckClock(ClockState{true, absl::Microseconds(150)}), CheckStatus::kOk);
  Expect(CheckClock(ClockState{false, absl::Seconds(16)}), CheckStatus::kWarning,
         Reason::kClockUnsynchronized);
  Expect(CheckClock(absl::PermissionDeniedError("no")), CheckStatus::kSkipped);
  Expect(CheckClock(absl::InternalError("broken")), CheckStatus::kSkipped);
}

Validity Ends(const std::string& name, absl::Duration life, absl::Duration left) {
  return {name, kNow + left - life, kNow + left};
}

TEST(HealthTest, Certificates) {
  const absl::Duration year = absl::Hours(24 * 365);
  const auto authority = [&](absl::Duration left) {
    return CheckAuthorityCertificate(std::vector<Validity>{Ends("a", 10 * year, left)}, kNow);
  };
  Expect(authority(5 * year), CheckStatus::kOk);
  Expect(authority(year - absl::Seconds(1)), CheckStatus::kWarning, Reason::kCertificateExpiring);
  Expect(authority(absl::ZeroDuration()), CheckStatus::kFailed, Reason::kCertificateExpired);
  Expect(CheckAuthorityCertificate(std::vector<Validity>{}, kNow), CheckStatus::kSkipped);
  Expect(CheckAuthorityCertificate(absl::InternalError("no"), kNow), CheckStatus::kSkipped);

  const auto own = [&](absl::Duration left) {
    return CheckManagerCertificate(Ends("m", absl::Hours(90), left), kNow);
  };
  Expect(own(absl::Hours(31)), CheckStatus::kOk);
  Expect(own(absl::Hours(29)), CheckStatus::kWarning, Reason::kCertificateExpiring);
  Expect(own(-absl::Seconds(1)), CheckStatus::kFailed, Reason::kCertificateExpired);
  Expect(CheckManagerCertificate(absl::NotFoundError("no"), kNow), CheckStatus::kSkipped);

  std::vector<Validity> nodes = {Ends("web1", absl::Hours(90), absl::Hours(80)),
                                 Ends("web2", absl::Hours(90), absl::Hours(40))};
  Expect(CheckNodeCertificates(nodes, kNow), CheckStatus::kOk);
  nodes.push_back(Ends("web3", absl::Hours(90), absl::Hours(10)));
  Expect(CheckNodeCertificates(nodes, kNow), CheckStatus::kWarning, Reason::kCertificateExpiring);
  nodes.push_back(Ends("web4", absl::Hours(90), -absl::Hours(1)));
  const HealthCheck expired = CheckNodeCertificates(nodes, kNow);
  Expect(expired, CheckStatus::kFailed, Reason::kCertificateExpired);
  EXPECT_TRUE(absl::StrContains(expired.message, "web4")) << expired.message;
  EXPECT_FALSE(absl::StrContains(expired.message, "web3")) << expired.message;
  Expect(CheckNodeCertificates({}, kNow), CheckStatus::kSkipped);
}

TEST(HealthTest, ManyNamesAreCounted) {
  std::vector<Validity> nodes;
  for (int i = 0; i < 200; ++i) {
    nodes.push_back(Ends(absl::StrCat("web", i), absl::Hours(90), -absl::Hours(1)));
  }
  EXPECT_TRUE(absl::StrContains(CheckNodeCertificates(nodes, kNow).message, "and 190 more"));
}

TEST(HealthTest, AgentVersions) {
  Expect(CheckAgentVersions("1.2.3", {{"web1", "1.2.3"}}), CheckStatus::kOk);
  Expect(CheckAgentVersions("1.2.3", {}), CheckStatus::kSkipped);
  const HealthCheck skew = CheckAgentVersions("1.2.3", {{"web1", "1.2.3"}, {"web2", "1.2.2"}});
  Expect(skew, CheckStatus::kWarning, Reason::kVersionSkew);
  EXPECT_TRUE(absl::StrContains(skew.message, "web2 (1.2.2)")) << skew.message;
}

TEST(HealthTest, AuditChain) {
  Expect(CheckAuditChain(AuditLook{500, ""}), CheckStatus::kOk);
  Expect(CheckAuditChain(AuditLook{500, "entry 17 was changed"}), CheckStatus::kFailed,
         Reason::kAuditBroken);
  Expect(CheckAuditChain(absl::UnavailableError("no")), CheckStatus::kSkipped);
}

TEST(HealthTest, Backup) { Expect(CheckBackup("/state"), CheckStatus::kSkipped); }

class MachineTest : public ::testing::Test {
 protected:
  MachineTest() : dir_("/tmp/hostq-machine-XXXXXX") {
    HOSTQ_CHECK(mkdtemp(dir_.data()) != nullptr);
  }
  ~MachineTest() override { std::filesystem::remove_all(dir_); }
  std::string dir_;
};

TEST_F(MachineTest, MeasuresWritesAndLeavesNothing) {
  const auto writes = ThisMachine().TimeWrites(dir_, 3, absl::Minutes(1));
  ASSERT_TRUE(writes.ok()) << writes.status();
  EXPECT_EQ(writes->size(), 3u);
  EXPECT_TRUE(std::filesystem::is_empty(dir_));
  // However little time there is, one is told.
  const auto hurried = ThisMachine().TimeWrites(dir_, 3, absl::ZeroDuration());
  ASSERT_TRUE(hurried.ok());
  EXPECT_EQ(hurried->size(), 1u);
  EXPECT_TRUE(absl::IsNotFound(ThisMachine().TimeWrites(dir_ + "/x", 1, {}).status()));
}

TEST_F(MachineTest, SeesSpaceAndSizes) {
  const auto space = ThisMachine().SpaceAt(dir_);
  ASSERT_TRUE(space.ok()) << space.status();
  EXPECT_GT(space->total_bytes, 0);
  EXPECT_LE(space->free_bytes, space->total_bytes);
  EXPECT_FALSE(ThisMachine().SpaceAt(dir_ + "/x").ok());
  EXPECT_EQ(ThisMachine().SizeOf(dir_ + "/x").value(), 0);
  // Asking is allowed everywhere but in hardened services; either is an answer.
  const auto clock = ThisMachine().LookAtClock();
  EXPECT_TRUE(clock.ok() || absl::IsPermissionDenied(clock.status())) << clock.status();
}

}  // namespace
}  // namespace hostq::manager
