// Goal: what an administrator types about persons, API keys and the audit is done, shown and
// refused as the reference says. Method: the real hostq at the real hostq-manager.
#include <gmock/gmock.h>
#include <signal.h>

#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "hostq/v1/administrator_service.pb.h"
#include "hostq/v1/audit_service.pb.h"
#include "hostq/v1/authority_service.pb.h"
#include "hostq/v1/key_service.pb.h"
#include "manager/cli/exit_code.h"
#include "real_manager.h"

namespace hostq::manager::testing {
namespace {

using hostq::testing::Finished;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class AdministratorCliTest : public ::testing::Test {
 protected:
  AdministratorCliTest() {
    EXPECT_EQ(manager_.Init(), 0) << manager_.program().err();
    EXPECT_TRUE(manager_.Start()) << manager_.program().err();
  }
  void Fails(const std::string& line, int code, const std::string& what) {
    const Finished run = manager_.Hostq(line);
    EXPECT_EQ(run.exit_code, code) << line << "\n" << run.out << run.err;
    EXPECT_THAT(run.err, HasSubstr(what)) << line;
    EXPECT_EQ(run.out, "") << line;
  }
  void Refused(const std::string& line, const std::string& reason) {
    Fails(line, cli::kRefused, reason);
  }
  void Usage(const std::string& line, const std::string& what) { Fails(line, cli::kUsage, what); }
  std::string Path(const std::string& name) const { return manager_.folder().path() + "/" + name; }

  RealManager manager_;
};

// --- administrators ---

TEST_F(AdministratorCliTest, APersonFromTheFirstToTheLastDay) {
  EXPECT_THAT(manager_.Hostq("administrator list").out,
              HasSubstr("No administrators with a certificate"));
  const std::string file = Path("alice.pem");
  Finished run = manager_.Hostq("administrator add alice --days 30 --out " + file);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr(file), HasSubstr("hostq --manager")));
  EXPECT_THAT(run.out, Not(HasSubstr("PRIVATE KEY")));
  const auto list = manager_.Json<v1::ListAdministratorsResponse>("administrator list");
  ASSERT_EQ(list.administrators_size(), 1);
  const v1::Administrator& alice = list.administrators(0);
  EXPECT_EQ(alice.name(), "alice");
  EXPECT_NE(alice.serial(), "");
  const absl::Time end = absl::FromUnixSeconds(alice.expire_time().seconds());
  EXPECT_GT(end, absl::Now() + absl::Hours(24 * 29));
  EXPECT_LT(end, absl::Now() + absl::Hours(24 * 31));
  EXPECT_THAT(
      manager_.Hostq("administrator list").out,
      AllOf(HasSubstr("alice"), HasSubstr("active"), HasSubstr(alice.serial().substr(0, 6))));
  run = manager_.Hostq(
      absl::StrCat("--manager ", manager_.api_address(), " --identity ", file, " node list"));
  EXPECT_EQ(run.exit_code, 0) << run.err;
  run = manager_.Hostq("administrator revoke alice --note gone");
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(manager_.Hostq("administrator list").out, HasSubstr("revoked"));
  run = manager_.Hostq(
      absl::StrCat("--manager ", manager_.api_address(), " --identity ", file, " node list"));
  EXPECT_EQ(run.exit_code, cli::kNotAuthorized) << run.err;
  // Who has a certificate counts for the authority that signed it.
  ASSERT_EQ(manager_.Hostq("administrator add bob --out " + Path("bob.pem")).exit_code, 0);
  EXPECT_EQ(manager_.Hostq("authority prepare").exit_code, 0);
  run = manager_.Hostq("authority activate");
  EXPECT_THAT(run.out, HasSubstr("administrators with a certificate of the old authority, 1: bob"));
  Refused("authority retire", "AUTHORITY_IN_USE");
  // Another certificate takes the place of his, and he goes on with it when the old one is gone.
  run = manager_.Hostq("administrator renew bob --out " + Path("bob-2.pem"));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(manager_.Hostq("authority retire").exit_code, 0);
  const auto as_bob = [&](const std::string& identity) {
    return manager_.Hostq(absl::StrCat("--manager ", manager_.api_address(), " --identity ",
                                       Path(identity), " node list"));
  };
  // The listener follows within a second or two.
  const absl::Time until = absl::Now() + absl::Seconds(20);
  while ((run = as_bob("bob-2.pem")).exit_code != 0 && absl::Now() < until) {
    absl::SleepFor(absl::Milliseconds(100));
  }
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_NE(as_bob("bob.pem").exit_code, 0);
}

TEST_F(AdministratorCliTest, BadPersonsAreRefused) {
  const std::string out = " --out " + Path("x.pem");
  Usage("administrator add" + out, "NAME");
  Usage("administrator add alice", "--out");
  Usage("administrator add alice --days 0" + out, "--days");
  Usage("administrator add alice --days 366" + out, "--days");
  Usage("administrator add alice --days many" + out, "--days");
  Refused("administrator add Not/A/Name" + out, "name");
  EXPECT_FALSE(std::filesystem::exists(Path("x.pem")));
  EXPECT_NE(manager_.Hostq("administrator add alice --out /nonexistent/x.pem").exit_code, 0);
  Refused("administrator revoke nobody", "nobody");
  Usage("administrator revoke", "NAME");
  ASSERT_EQ(manager_.Hostq("administrator add alice" + out).exit_code, 0);
  // One that is valid is not replaced unseen.
  Refused("administrator add alice --out " + Path("y.pem"), "alice");
  EXPECT_FALSE(std::filesystem::exists(Path("y.pem")));
  Usage("administrator renew alice", "--out");
  Refused("administrator renew nobody --out " + Path("y.pem"), "UNKNOWN_ADMINISTRATOR");
  EXPECT_FALSE(std::filesystem::exists(Path("y.pem")));
}

// --- keys ---

TEST_F(AdministratorCliTest, AKeyIsShownWithAllItsLimits) {
  EXPECT_THAT(manager_.Hostq("key list").out, HasSubstr("No API keys yet"));
  const auto created = manager_.Json<v1::CreateKeyResponse>(
      "key create billing --scope read --scope submit:create_account,suspend_account "
      "--own-accounts --source 192.0.2.0/24,2001:db8::/32 --expires 30d --rate 5/s "
      "--max-unfinished 100");
  EXPECT_TRUE(absl::StartsWith(created.text(), "hostq_"));
  const auto key = manager_.Json<v1::Key>("key show billing");
  EXPECT_EQ(key.id(), created.key().id());
  EXPECT_TRUE(key.own_accounts());
  EXPECT_EQ(key.requests_per_second(), 5u);
  EXPECT_EQ(key.max_unfinished(), 100u);
  EXPECT_EQ(key.sources_size(), 2);
  EXPECT_EQ(key.scopes_size(), 2);
  const Finished shown = manager_.Hostq("key show billing");
  for (const char* part : {"billing", "active", "read", "submit:create_account,suspend_account",
                           "only those that it created", "192.0.2.0/24", "2001:db8::/32", "5/s",
                           "100 commands at most", "never"}) {
    EXPECT_THAT(shown.out, HasSubstr(part));
  }
  EXPECT_EQ(manager_.Json<v1::ListKeysResponse>("key list").keys_size(), 1);
  Finished run = manager_.Hostq("key rotate billing --keep 2h");
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("The one of before ends at"));
  EXPECT_THAT(manager_.Hostq("key list").out, HasSubstr("rotating"));
  EXPECT_EQ(manager_.Json<v1::Key>("key revoke billing --note over").revoke_note(), "over");
  EXPECT_EQ(manager_.Json<v1::ListKeysResponse>("key list").keys_size(), 0);
  EXPECT_EQ(manager_.Json<v1::ListKeysResponse>("key list --all").keys_size(), 1);
  // No secret is in what is kept or shown.
  const std::string secret = created.text().substr(created.text().rfind('_') + 1);
  for (const char* line : {"key list --all", "key show billing", "audit list"}) {
    EXPECT_THAT(manager_.Hostq(line).out, Not(HasSubstr(secret))) << line;
  }
}

TEST_F(AdministratorCliTest, BadKeysAreRefused) {
  Usage("key create", "NAME");
  Usage("key create k", "--scope");
  Usage("key create k --scope read --expires soon", "--expires");
  Usage("key create k --scope read --rate fast", "--rate");
  Usage("key create k --scope read --rate 0/s", "--rate");
  Usage("key create k --scope read --max-unfinished 0", "--max-unfinished");
  Usage("key rotate k --keep soon", "--keep");
  Refused("key create k --scope nonsense", "nonsense");
  Refused("key create k --scope submit:no_such_kind", "no_such_kind");
  Refused("key create k --scope read --source nonsense", "nonsense");
  Refused("key create k --scope read --source 10.0.0.1/8", "10.0.0.");
  Refused("key create k --scope admin --own-accounts", "own_accounts");
  Refused("key create k --scope read --expires 4000d", "expires_in");
  Refused("key create Not/A/Name --scope read", "name");
  for (const char* verb : {"show", "rotate", "revoke"}) {
    Refused(absl::StrCat("key ", verb, " nobody"), "UNKNOWN_KEY");
  }
  EXPECT_EQ(manager_.Hostq("key create k --scope read").exit_code, 0);
  Refused("key create k --scope read", "k");
  Refused("key rotate k --keep 31d", "keep");
  EXPECT_EQ(manager_.Hostq("key revoke k").exit_code, 0);
  Refused("key rotate k", "UNKNOWN_KEY");
}

// --- audit ---

TEST_F(AdministratorCliTest, WhatWasDoneStandsInTheAudit) {
  manager_.Hostq("node add web1 --role app --address 192.0.2.11");
  manager_.Hostq({"node", "ban", "web1", "--note", "stolen"}, "bob");
  manager_.Hostq("authority prepare");
  manager_.Hostq("authority retire");
  manager_.Hostq("key create k --scope read");
  ASSERT_EQ(manager_.Hostq("administrator add carol --out " + Path("carol.pem")).exit_code, 0);
  const auto list = manager_.Json<v1::ListAuditEntriesResponse>("audit list");
  std::vector<std::string> acts;
  for (const v1::AuditEntry& entry : list.entries()) {
    acts.push_back(absl::StrCat(std::vector<std::string>(absl::StrSplit(entry.act(), '.')).back(),
                                " ", entry.target()));
  }
  for (const char* act : {"CreateNode node/web1", "BanNode node/web1", "PrepareAuthority authority",
                          "CreateKey key/k", "CreateAdministrator administrator/carol",
                          "RetireAuthority authority"}) {
    EXPECT_THAT(acts, ::testing::Contains(act));
  }
  EXPECT_THAT(manager_.Hostq("audit list --act BanNode").out, HasSubstr("bob"));
  EXPECT_THAT(manager_.Hostq("audit list --refused").out,
              AllOf(HasSubstr("RetireAuthority"), HasSubstr("WRONG_ROTATION_STEP")));
  const Finished verified = manager_.Hostq("audit verify");
  EXPECT_EQ(verified.exit_code, 0) << verified.err;
  const Finished head = manager_.Hostq("audit head");
  EXPECT_EQ(head.exit_code, 0) << head.err;
  EXPECT_EQ(
      manager_.Hostq("audit verify --expect " + head.out.substr(0, head.out.size() - 1)).exit_code,
      0);
  Usage("audit verify --expect nonsense", "--expect");
  Usage("audit verify --file /nonexistent", "--file");
  Usage("audit list --limit 0", "--limit");
  Usage("audit list --since never", "--since");
  Usage("audit export --since -1", "--since");
}

}  // namespace
}  // namespace hostq::manager::testing
