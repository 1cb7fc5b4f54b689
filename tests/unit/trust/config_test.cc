// Goal: a configuration is taken as a whole or refused with every mistake in it, each with its
// line.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/error.h"
#include "common/config/agent_config.h"
#include "common/config/manager_config.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/trust/temporary_folder.h"

#include <fstream>

namespace hostq {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kMinimal[] = "[cluster]\nname = \"prod\"\nquorum_address = \"10.0.0.1\"\n";

std::vector<std::string> Problems(const absl::Status& status) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_EQ(ReasonOf(status), Reason::kInvalidArgument);
  return absl::StrSplit(status.message(), '\n');
}
std::vector<std::string> ManagerProblems(const std::string& toml) {
  return Problems(ParseManagerConfig(toml, "m.toml").status());
}
std::vector<std::string> AgentProblems(const std::string& toml) {
  return Problems(ParseAgentConfig(toml, "a.toml").status());
}

TEST(ManagerConfigTest, MinimalHasDefaults) {
  const auto config = ParseManagerConfig(kMinimal, "m.toml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->state_dir, "/var/lib/hostq/manager");
  EXPECT_EQ(config->cluster.name, "prod");
  EXPECT_EQ(config->cluster.uid_min, 20000u);
  EXPECT_EQ(config->cluster.uid_max, 59999u);
  EXPECT_EQ(config->listen.agents, "10.0.0.1:7443");
  EXPECT_EQ(config->listen.enrollment, "10.0.0.1:7444");
  EXPECT_EQ(config->listen.admin_socket, "/run/hostq/manager.sock");
  EXPECT_EQ(config->listen.admin_group, "");
  EXPECT_EQ(config->log_level, LogLevel::kInfo);
  EXPECT_EQ(config->limits.max_live_tasks, 1'000'000);
  EXPECT_EQ(config->limits.heartbeat_interval, absl::Seconds(5));
}

TEST(ManagerConfigTest, ReadsEveryKey) {
  const auto config = ParseManagerConfig(R"(
state_dir = "/srv/hostq"
[cluster]
name = "prod"
quorum_address = "2001:db8::1"
uid_min = 30000
uid_max = 30999
[listen]
agents = "0.0.0.0:1"
enrollment = "[::1]:65535"
api = "[::1]:7"
admin_socket = "/run/x.sock"
admin_group = "hostq-admin"
[log]
level = "debug"
[limits]
max_live_tasks = 5000
heartbeat_interval = "1m"
key_requests_per_second = 7
key_unfinished_commands = 8
)",
                                         "m.toml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->state_dir, "/srv/hostq");
  EXPECT_EQ(config->cluster.quorum_address, "2001:db8::1");
  EXPECT_EQ(config->listen.api, "[::1]:7");
  EXPECT_EQ(config->limits.key_requests_per_second, 7);
  EXPECT_EQ(config->limits.key_unfinished_commands, 8);
  EXPECT_EQ(config->cluster.uid_min, 30000u);
  EXPECT_EQ(config->cluster.uid_max, 30999u);
  EXPECT_EQ(config->listen.agents, "0.0.0.0:1");
  EXPECT_EQ(config->listen.enrollment, "[::1]:65535");
  EXPECT_EQ(config->listen.admin_socket, "/run/x.sock");
  EXPECT_EQ(config->listen.admin_group, "hostq-admin");
  EXPECT_EQ(config->log_level, LogLevel::kDebug);
  EXPECT_EQ(config->limits.max_live_tasks, 5000);
  EXPECT_EQ(config->limits.heartbeat_interval, absl::Minutes(1));
}

TEST(ManagerConfigTest, DefaultListenersOfAnIpv6Cluster) {
  const auto config =
      ParseManagerConfig("[cluster]\nname = \"a\"\nquorum_address = \"2001:db8::1\"\n", "m.toml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->listen.agents, "[2001:db8::1]:7443");
}

TEST(ManagerConfigTest, EmptyNamesWhatIsRequired) {
  EXPECT_THAT(ManagerProblems(""), ElementsAre("m.toml: cluster.name: required",
                                               "m.toml: cluster.quorum_address: required"));
  EXPECT_THAT(ManagerProblems("\n[cluster]\nname = \"a\"\n"),
              ElementsAre("m.toml:2: cluster.quorum_address: required"));
}

TEST(ManagerConfigTest, ReportsEverythingAtOnceInOrderOfLines) {
  EXPECT_THAT(
      ManagerProblems(R"(stat_dir = "/x"
[cluster]
name = "Prod"
quorum_address = "0.0.0.0"
uid_min = 50000
uid_max = 40000
[listen]
agents = "localhost:7443"
[log]
level = "loud"
[limits]
max_live_tasks = "many"
heartbeat_interval = "5"
[colour]
x = 1
)"),
      ElementsAre("m.toml:1: stat_dir: unknown key (did you mean state_dir?)",
                  HasSubstr("m.toml:3: cluster.name: \"Prod\" is not a lower-case letter"),
                  HasSubstr("m.toml:4: cluster.quorum_address: \"0.0.0.0\" is not the address"),
                  HasSubstr("m.toml:5: cluster.uid_min: 50000 is above uid_max, 40000"),
                  HasSubstr("m.toml:8: listen.agents: \"localhost:7443\" is not ADDRESS:PORT"),
                  HasSubstr("m.toml:10: log.level: \"loud\" is not debug"),
                  "m.toml:12: limits.max_live_tasks: expected an integer, found text",
                  HasSubstr("m.toml:13: limits.heartbeat_interval: \"5\" is not a duration"),
                  "m.toml:14: colour: unknown key"));
}

TEST(ManagerConfigTest, EachKindOfMistake) {
  const struct {
    const char* toml;
    const char* problem;
  } mistakes[] = {
      {"state_dir = \"relative\"", "m.toml:1: state_dir: \"relative\" is not an absolute path"},
      {"state_dir = \"/a/../b\"", "is not a plain path"},
      {"state_dir = \"/a/\"", "is not a plain path"},
      {"state_dir = \"/a\\u0001\"", "\"/a?\" contains control characters"},
      {"state_dir = 5", "state_dir: expected text in quotes, found an integer"},
      {"state_dir = [\"/a\"]", "expected text in quotes, found a list"},
      {"state_dir = true", "found true or false"},
      {"state_dir = 1.5", "found a fraction"},
      {"state_dir = 2024-01-01", "found a date or time"},
      {"[state_dir]", "expected text in quotes, found a section"},
      {"quorum_address = \"10.0.0.1\"", "did you mean cluster.quorum_address?"},
      {"log = \"debug\"", "log: expected a section [log], found text"},
      {"[[limits]]\nmax_live_tasks = 5000", "expected a section [limits], found a list"},
      {"[lisen]", "unknown key (did you mean listen?)"},
      {"\"log.level\" = \"debug\"", "unknown key: a dot in quotes is part of the name"},
      {"[limits]\nmax_live_tasks = 999",
       "m.toml:2: limits.max_live_tasks: 999 is not from 1000 to"},
      {"[limits]\nmax_live_tasks = -1", "-1 is not from"},
      {"[limits]\nmax_live_tasks = 10000001", "is not from 1000 to 10000000"},
      {"[limits]\nmax_live_tasks = 1e6", "expected an integer, found a fraction"},
      {"[limits]\nheartbeat_interval = 5", "expected text in quotes, found an integer"},
      {"[limits]\nheartbeat_interval = \"10ms\"", "is not from 1s to 1m"},
      {"[limits]\nheartbeat_interval = \"-5s\"", "is not from 1s to 1m"},
      {"[limits]\nheartbeat_interval = \"inf\"", "is not from 1s to 1m"},
      {"[listen]\nagents = \"10.0.0.1\"", "is not ADDRESS:PORT"},
      {"[listen]\nagents = \"10.0.0.1:0\"", "no port from 1 to 65535"},
      {"[listen]\nagents = \"10.0.0.1:70000\"", "no port from 1 to 65535"},
      {"[listen]\nagents = \"10.0.0.1: 1\"", "no port from 1 to 65535"},
      {"[listen]\nagents = \"10.0.0.1:+1\"", "no port from 1 to 65535"},
      {"[listen]\nagents = \"::1:7443\"", "is not ADDRESS:PORT"},
      {"[listen]\nagents = \"[10.0.0.1]:7443\"", "is not ADDRESS:PORT"},
      {"[listen]\nagents = \"224.0.0.1:7443\"", "multicast"},
      {"[listen]\nenrollment = \"10.0.0.1:7443\"", "the same as listen.agents"},
      {"[listen]\napi = \"10.0.0.1:7443\"", "the same as listen.agents or listen.enrollment"},
      {"[listen]\napi = \"10.0.0.1\"", "is not ADDRESS:PORT"},
      {"[limits]\nkey_requests_per_second = 0", "key_requests_per_second"},
      {"[listen]\nadmin_group = \"a b\"", "is not the name of a group"},
      {"[listen]\nadmin_socket = \"run.sock\"", "is not an absolute path"},
      {"state_dir = \"/a", "m.toml:1: "},
      {"state_dir = \"/a\"\nstate_dir = \"/b\"", "m.toml:2: "},
      {"state_dir = \"\xff\"", "m.toml:1: "},
  };
  for (const auto& mistake : mistakes) {
    // Other keys must come before the first section.
    const std::string text = absl::StrCat(mistake.toml, "\n", kMinimal);
    EXPECT_THAT(ManagerProblems(text), ElementsAre(HasSubstr(mistake.problem))) << mistake.toml;
  }
  const std::string socket =
      absl::StrCat("[listen]\nadmin_socket = \"/", std::string(110, 'a'), "\"\n", kMinimal);
  EXPECT_THAT(ManagerProblems(socket), ElementsAre(HasSubstr("longer than 107")));
  for (const char* address : {"10.0.0.300", "::", "224.0.0.1", "ff02::1", "host", "10.0.0.1/24"}) {
    EXPECT_THAT(ManagerProblems(
                    absl::StrCat("[cluster]\nname = \"a\"\nquorum_address = \"", address, "\"\n")),
                ElementsAre(HasSubstr("cluster.quorum_address")));
  }
  EXPECT_THAT(ManagerProblems("cluster = 1"),
              ElementsAre("m.toml:1: cluster: expected a section [cluster], found an integer"));
}

TEST(ManagerConfigTest, FileMustExist) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/manager.toml";
  EXPECT_EQ(LoadManagerConfig(path).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(LoadManagerConfig(path).status().message()), HasSubstr(path));
  EXPECT_FALSE(LoadManagerConfig(folder.path()).ok());
  std::ofstream(path) << kMinimal;
  EXPECT_TRUE(LoadManagerConfig(path).ok());
  std::ofstream(path) << std::string(2 << 20, '\n');
  EXPECT_THAT(std::string(LoadManagerConfig(path).status().message()), HasSubstr("1 MiB"));
}

TEST(AgentConfigTest, EmptyFileIsDefaults) {
  const auto config = ParseAgentConfig("", "a.toml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->state_dir, "/var/lib/hostq/agent");
  EXPECT_EQ(config->credits, 8);
  EXPECT_THAT(config->policy.share_sources, ElementsAre("*:/*"));
  EXPECT_THAT(config->policy.mount_points, ElementsAre("/home", "/chroot/home"));
  EXPECT_THAT(config->policy.address_ranges, ElementsAre("0.0.0.0/0", "::/0"));
  EXPECT_THAT(config->policy.kinds, IsEmpty());
  EXPECT_TRUE(config->policy.repair);
  EXPECT_THAT(AgentProblems("policy.repair = 1"),
              ElementsAre("a.toml:1: policy.repair: expected true or false, found an integer"));
  EXPECT_EQ(config->policy.uid_min, 20000u);
  EXPECT_EQ(config->policy.uid_max, 59999u);
  EXPECT_EQ(config->hooks.directory, "/etc/hostq/hooks.d");
  EXPECT_EQ(config->hooks.timeout, absl::Seconds(30));
  EXPECT_EQ(config->hooks.reload_interval, absl::Seconds(1));
}

TEST(AgentConfigTest, AnEmptyListIsNotTheDefault) {
  const auto config = ParseAgentConfig(
      "[policy]\nshare_sources = []\nmount_points = []\naddress_ranges = []\n", "a.toml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->policy.share_sources, IsEmpty());
  EXPECT_THAT(config->policy.mount_points, IsEmpty());
  EXPECT_THAT(config->policy.address_ranges, IsEmpty());
}

TEST(AgentConfigTest, ReadsEveryKey) {
  const auto config = ParseAgentConfig(R"(
state_dir = "/srv/agent"
credits = 2
[log]
level = "error"
[policy]
share_sources = ["storage1:/chroot/home", "10.0.0.1:/", "*:/*"]
mount_points = [
  "/chroot/home",
]
address_ranges = ["203.0.113.0/24", "2001:db8::/32", "192.0.2.7/32"]
uid_min = 1000
uid_max = 1001
user_pattern = "[a-z]+"
kinds = ["bind_address"]
repair = false
[hooks]
directory = ""
timeout = "2m"
reload_interval = "0s"
)",
                                       "a.toml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->state_dir, "/srv/agent");
  EXPECT_EQ(config->credits, 2);
  EXPECT_EQ(config->log_level, LogLevel::kError);
  EXPECT_THAT(config->policy.share_sources,
              ElementsAre("storage1:/chroot/home", "10.0.0.1:/", "*:/*"));
  EXPECT_THAT(config->policy.mount_points, ElementsAre("/chroot/home"));
  EXPECT_THAT(config->policy.address_ranges,
              ElementsAre("203.0.113.0/24", "2001:db8::/32", "192.0.2.7/32"));
  EXPECT_EQ(config->policy.uid_min, 1000u);
  EXPECT_EQ(config->policy.uid_max, 1001u);
  EXPECT_EQ(config->policy.user_pattern, "[a-z]+");
  EXPECT_THAT(config->policy.kinds, ElementsAre("bind_address"));
  EXPECT_FALSE(config->policy.repair);
  EXPECT_EQ(config->hooks.directory, "");
  EXPECT_EQ(config->hooks.timeout, absl::Minutes(2));
  EXPECT_EQ(config->hooks.reload_interval, absl::ZeroDuration());
}

TEST(AgentConfigTest, SectionsForQuotas) {
  const auto config = ParseAgentConfig(R"([[quotas]]
source = "filer:/vol/*"
backend = "program"
program = "/etc/hostq/quota-filer"

[[quotas]]
source = "tank/*"
backend = "none"

[[quotas]]
source = "[2001:db8::1]:/x"
backend = "program"
program = "/usr/local/sbin/quota"
timeout = "3s"
)",
                                       "a.toml");
  ASSERT_TRUE(config.ok()) << config.status();
  ASSERT_EQ(config->quotas.size(), 3U);
  EXPECT_EQ(config->quotas[0].source, "filer:/vol/*");
  EXPECT_EQ(config->quotas[0].program, "/etc/hostq/quota-filer");
  EXPECT_EQ(config->quotas[0].timeout, absl::Seconds(10));
  EXPECT_EQ(config->quotas[1].program, "");
  EXPECT_EQ(config->quotas[2].timeout, absl::Seconds(3));
  EXPECT_THAT(
      AgentProblems(R"([[quotas]]
backend = "program"
[[quotas]]
source = "a b"
backend = "none"
program = "/x"
[[quotas]]
source = "filer:/x"
backend = "rquotad"
programm = "/x"
timeout = "21s"
)"),
      ElementsAre(HasSubstr("a.toml:1: quotas[0].source: required"),
                  HasSubstr("a.toml:1: quotas[0].program: required"),
                  HasSubstr("a.toml:4: quotas[1].source: \"a b\" is not the source"),
                  HasSubstr("a.toml:6: quotas[1].program: backend \"none\" runs no"),
                  HasSubstr("a.toml:9: quotas[2].backend: \"rquotad\" is neither"),
                  HasSubstr("a.toml:10: quotas[2].programm: unknown key (did you mean "
                            "program?)"),
                  HasSubstr("a.toml:11: quotas[2].timeout: \"21s\" is not from 1s to 20s")));
  EXPECT_THAT(AgentProblems("[quotas]\nsource = \"x\""),
              ElementsAre("a.toml:1: quotas: expected sections [[quotas]], found a section"));
  EXPECT_THAT(AgentProblems("quotas = [1]"),
              ElementsAre("a.toml:1: quotas: expected sections [[quotas]], found a list"));
}

TEST(AgentConfigTest, ListsReportEachElementWithItsLine) {
  EXPECT_THAT(
      AgentProblems(R"([policy]
address_ranges = [
  "203.0.113.0/24",
  "203.0.113.1/24",
  7,
  "203.0.113.0/33",
]
)"),
      ElementsAre(HasSubstr("a.toml:4: policy.address_ranges: \"203.0.113.1/24\" has bits"),
                  "a.toml:5: policy.address_ranges: expected text in quotes, found an integer",
                  HasSubstr("a.toml:6: policy.address_ranges")));
}

TEST(AgentConfigTest, EachKindOfMistake) {
  const struct {
    const char* toml;
    const char* problem;
  } mistakes[] = {
      {"credits = 0", "0 is not from 1 to 256"},
      {"credits = 257", "257 is not from 1 to 256"},
      {"credit = 4", "did you mean credits?"},
      {"[policy]\nkind = [\"x\"]", "did you mean kinds?"},
      {"[policy]\nkinds = \"x\"", "expected a list of texts, found text"},
      {"[policy]\nkinds = [\"Bind\"]", "is not the name of a kind"},
      {"[policy]\nshare_sources = [\"/chroot/home\"]", "is not SERVER:/PATH"},
      {"[policy]\nshare_sources = [\"a b:/x\"]", "is not SERVER:/PATH"},
      {"[policy]\nshare_sources = [\"a:/x/../y\"]", "is not a plain path"},
      {"[policy]\nmount_points = [\"home\"]", "is not an absolute path"},
      {"[policy]\naddress_ranges = [\"203.0.113.0\"]", "is not ADDRESS/PREFIX"},
      {"[policy]\naddress_ranges = [\"203.0.113.0/\"]", "is not ADDRESS/PREFIX"},
      {"[policy]\naddress_ranges = [\"::/129\"]", "is not ADDRESS/PREFIX"},
      {"[policy]\nuser_pattern = \"[a-z\"", "is not a regular expression"},
      {"[policy]\nuser_pattern = \"\"", "matches no name"},
      {"[policy]\nuid_min = 999", "999 is not from 1000"},
      {"[policy]\nuid_min = 60000", "60000 is above uid_max, 59999"},
      {"[hooks]\ndirectory = \"hooks.d\"", "is not an absolute path"},
      {"[hooks]\ntimeout = \"3m\"", "is not from 1s to 2m"},
      {"[hooks]\nreload_interval = \"2m\"", "is not from 0 to 1m"},
  };
  for (const auto& mistake : mistakes) {
    EXPECT_THAT(AgentProblems(mistake.toml), ElementsAre(HasSubstr(mistake.problem)))
        << mistake.toml;
  }
}

TEST(AgentConfigTest, AFileThatSomebodyAskedForMustExist) {
  EXPECT_EQ(LoadAgentConfig("/nonexistent/agent.toml").status().code(),
            absl::StatusCode::kNotFound);
  if (!std::ifstream(kAgentConfigPath)) {
    EXPECT_TRUE(LoadAgentConfig().ok());
  }
}

}  // namespace
}  // namespace hostq
