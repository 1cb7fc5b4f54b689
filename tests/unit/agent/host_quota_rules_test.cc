// Goal: quotas by a program of the administrator, or switched off, as the configuration says; and
// that a program which hangs, refuses, floods or prints nonsense is named as such. Method: real
// scripts that keep their limits in a file.
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/host/evidence.h"
#include "agent/host/processes.h"
#include "agent/host/quotas.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

Mount Nfs(const std::string& source) {
  Mount mount;
  mount.mount_point = "/chroot/home";
  mount.fs_type = "nfs4";
  mount.source = source;
  mount.super_options = "rw,vers=4.2,addr=10.0.0.9";
  return mount;
}

TEST(QuotaRulesTest, TheFirstThatMatchesCountsByNameAndByAddress) {
  const std::vector<QuotaRule> rules = {
      {"filer:/vol/a", "/a"}, {"filer:/vol/*", "/b"}, {"10.0.0.9:/x", "/c"}, {"tank/*", ""}};
  const auto program = [&](const Mount& mount) {
    const QuotaRule* const rule = RuleFor(rules, mount);
    return rule == nullptr ? "none" : rule->program;
  };
  EXPECT_EQ(program(Nfs("filer:/vol/a")), "/a");
  EXPECT_EQ(program(Nfs("filer:/vol/a/b")), "/b");
  EXPECT_EQ(program(Nfs("filer.example:/x")), "/c");
  EXPECT_EQ(program(Nfs("filer.example:/y")), "none");
  Mount local;
  local.fs_type = "zfs";
  local.source = "tank/home";
  EXPECT_EQ(program(local), "");
  local.source = "/dev/sda1";
  EXPECT_EQ(program(local), "none");
}

// Fails the test if anything but a program is asked.
class NoQuotas final : public Quotas {
 public:
  QuotaBackend BackendOf(const Mount&) override { return QuotaBackend::kRquota; }
  absl::StatusOr<Quota> Get(const Mount&, uint32_t) override { return Asked(); }
  absl::Status Set(const Mount&, uint32_t, int64_t) override { return Asked(); }
  absl::Status CheckSettable(const Mount&) override { return Asked(); }
  absl::Status CheckEnforced(const Mount&) override { return Asked(); }
  absl::Status CheckService(absl::string_view) override { return Asked(); }

 private:
  static absl::Status Asked() { return absl::UnknownError("asked"); }
};

class QuotaProgramTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/hostq_quota_XXXXXX";
    directory_ = mkdtemp(pattern);
    program_ = directory_ + "/quota";
    quotas_ = MakeConfiguredQuotas({{"filer:/vol/*", program_, absl::Seconds(20)},
                                    {"slow:/*", program_, absl::Seconds(1)},
                                    {"scratch:/*", "", absl::Seconds(1)}},
                                   std::make_unique<NoQuotas>());
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  void Write(const std::string& script, mode_t mode = 0755) {
    std::ofstream(program_) << "#!/bin/sh\n" << script << "\n";
    ASSERT_EQ(chmod(program_.c_str(), mode), 0);
  }
  std::string Said(const std::string& name) {
    std::ifstream file(absl::StrCat(directory_, "/", name));
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  absl::Status Get() { return quotas_->Get(filer_, 20000).status(); }

  const Mount filer_ = Nfs("filer:/vol/home");
  std::string directory_, program_;
  std::unique_ptr<Quotas> quotas_;
};

TEST_F(QuotaProgramTest, SetsWhatItReadsBackAndLeavesLimitsOnFiles) {
  Write(absl::StrCat("cd ", directory_, R"(
echo "$@" >>asked
[ "$2" = get ] || { echo "$5 $6 $7 $8 77" >limits; exit 0; }
cat limits 2>/dev/null || echo 5 6 0 0 77)"));
  EXPECT_EQ(quotas_->BackendOf(filer_), QuotaBackend::kProgram);
  ASSERT_TRUE(quotas_->Set(filer_, 20000, 10 * 1024 + 1).ok());
  const auto quota = quotas_->Get(filer_, 20000);
  ASSERT_TRUE(quota.ok()) << quota.status();
  EXPECT_EQ(quota->hard_bytes, 11 * 1024);
  EXPECT_EQ(quota->soft_bytes, 0);
  EXPECT_EQ(quota->used_bytes, 77 * 1024);
  EXPECT_EQ(Said("asked"),
            "filer:/vol/home get user 20000\n"
            "filer:/vol/home set user 20000 5 6 0 11\n"
            "filer:/vol/home get user 20000\n");
  EXPECT_TRUE(quotas_->CheckSettable(filer_).ok());
  EXPECT_TRUE(quotas_->CheckEnforced(filer_).ok());
}

TEST_F(QuotaProgramTest, ItsEnvironmentIsFixedAndItsComplaintsAreNoAnswer) {
  ASSERT_EQ(setenv("HOSTQ_SECRET", "x", 1), 0);
  Write(absl::StrCat("env >", directory_, "/env; echo a warning >&2; echo 0 0 0 4 1"));
  const auto quota = quotas_->Get(filer_, 1);
  ASSERT_TRUE(quota.ok()) << quota.status();
  EXPECT_EQ(quota->hard_bytes, 4096);
  EXPECT_EQ(Said("env").find("SECRET"), std::string::npos);
}

TEST_F(QuotaProgramTest, ExitStatusesSayWhatIsWrong) {
  Write("[ $2 = get ] && { echo 0 0 0 0 0; exit 0; }; echo 'no such volume' >&2; exit 4");
  const absl::Status refused = quotas_->Set(filer_, 20000, 1024);
  EXPECT_EQ(ReasonOf(refused), Reason::kQuotaSetNotPermitted);
  EXPECT_EQ(EvidenceOf(refused).at("output"), "no such volume");
  EXPECT_EQ(EvidenceOf(refused).at("program"), program_);
  Write("exit 3");
  EXPECT_EQ(ReasonOf(Get()), Reason::kQuotaServiceUnreachable);
  Write("exit 4");  // reading is not what would not be permitted
  EXPECT_EQ(ReasonOf(Get()), Reason::kQuotaProgramFailed);
  Write("echo broken >&2; exit 1");
  EXPECT_EQ(ReasonOf(Get()), Reason::kQuotaProgramFailed);
  EXPECT_THAT(std::string(Get().message()), HasSubstr("ended with status 1 (get user 20000)"));
  Write("kill -SEGV $$");
  EXPECT_THAT(std::string(Get().message()), HasSubstr("signal 11"));
}

TEST_F(QuotaProgramTest, WhatIsNotFiveNumbersIsNoQuota) {
  for (const char* answer :
       {"", "0 0 0 0", "0 0 0 0 0 0", "0 0 0 x 0", "0 0 0 -1 0", "0 0 0 1.5 0", "1 2 3 4 5\\n6",
        "0 0 0 9007199254740992 0", "0 0 0 99999999999999999999 0"}) {
    Write(absl::StrCat("printf '", answer, "'"));
    EXPECT_EQ(ReasonOf(Get()), Reason::kQuotaProgramFailed) << answer;
    EXPECT_THAT(std::string(Get().message()), HasSubstr("did not print")) << answer;
  }
  Write("yes '0 0 0 0 0' | head -c 5000000");
  const absl::Status flood = Get();
  EXPECT_EQ(ReasonOf(flood), Reason::kQuotaProgramFailed);
  EXPECT_LE(EvidenceOf(flood).at("output").size(), 1000U);
}

TEST_F(QuotaProgramTest, OneThatHangsIsEndedWithAllThatDescendsFromIt) {
  Write("trap '' TERM; setsid sleep 977 & sleep 977");
  const absl::Time start = absl::Now();
  const absl::Status status = quotas_->Get(Nfs("slow:/x"), 1).status();
  EXPECT_LT(absl::Now() - start, absl::Seconds(10));
  EXPECT_EQ(ReasonOf(status), Reason::kQuotaProgramFailed);
  EXPECT_THAT(std::string(status.message()), HasSubstr("was ended at its deadline, after 1s"));
  EXPECT_THAT(DescendantsOf(getpid()), IsEmpty());
}

TEST_F(QuotaProgramTest, WhatOthersCouldChangeIsNotRun) {
  Write(absl::StrCat("touch ", directory_, "/ran; echo 0 0 0 0 0"), 0775);
  EXPECT_EQ(ReasonOf(Get()), Reason::kQuotaProgramFailed);
  EXPECT_THAT(std::string(Get().message()), HasSubstr("others than its owner may write"));
  ASSERT_EQ(chmod(program_.c_str(), 0755), 0);
  ASSERT_EQ(chmod(directory_.c_str(), 0777), 0);
  EXPECT_THAT(std::string(Get().message()), HasSubstr("others than its owner may write"));
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/ran"));
  ASSERT_EQ(chmod(directory_.c_str(), 0700), 0);
  ASSERT_EQ(chmod(program_.c_str(), 0644), 0);
  EXPECT_THAT(EvidenceOf(Get()).at("output"), HasSubstr("cannot be run"));
  std::filesystem::remove(program_);
  EXPECT_THAT(EvidenceOf(Get()).at("output"), HasSubstr("No such file"));
}

TEST_F(QuotaProgramTest, SwitchedOffNeitherReadsNorSets) {
  const Mount scratch = Nfs("scratch:/x");
  EXPECT_EQ(quotas_->BackendOf(scratch), QuotaBackend::kSwitchedOff);
  EXPECT_EQ(ReasonOf(quotas_->Get(scratch, 1).status()), Reason::kQuotaSwitchedOff);
  EXPECT_EQ(ReasonOf(quotas_->Set(scratch, 1, 0)), Reason::kQuotaSwitchedOff);
  EXPECT_EQ(ReasonOf(quotas_->CheckSettable(scratch)), Reason::kQuotaSwitchedOff);
  EXPECT_EQ(ReasonOf(quotas_->CheckEnforced(scratch)), Reason::kQuotaSwitchedOff);
}

TEST_F(QuotaProgramTest, WithoutARuleTheOthersAreAsked) {
  const Mount other = Nfs("other:/x");
  EXPECT_EQ(quotas_->BackendOf(other), QuotaBackend::kRquota);
  EXPECT_EQ(quotas_->Get(other, 1).status().message(), "asked");
  EXPECT_EQ(quotas_->Set(other, 1, 0).message(), "asked");
  EXPECT_EQ(quotas_->CheckSettable(other).message(), "asked");
  EXPECT_EQ(quotas_->CheckEnforced(other).message(), "asked");
}

}  // namespace
}  // namespace hostq::agent
