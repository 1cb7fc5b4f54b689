// Who may include whom (docs/architecture.md, "Folders"): every #include of every source file is
// looked at.
#include <gtest/gtest.h>

#include <map>
#include <regex>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "source_tree.h"

namespace hostq::lint {
namespace {

struct Include {
  std::string file;
  std::string target;
};

std::vector<Include> AllIncludes() {
  static const std::regex kInclude(R"(^\s*#\s*include\s*[<"]([^>"]+)[>"])", std::regex::multiline);
  std::vector<Include> includes;
  for (const std::string& file : FilesBelow({"common", "manager", "agent"})) {
    if (!EndsWith(file, ".h") && !EndsWith(file, ".cc")) continue;
    const std::string text = ReadFile(file);
    for (std::sregex_iterator it(text.begin(), text.end(), kInclude), end; it != end; ++it) {
      includes.push_back({file, (*it)[1]});
    }
  }
  return includes;
}

bool InAny(const std::string& path, const std::vector<std::string>& folders) {
  return std::any_of(folders.begin(), folders.end(),
                     [&](const std::string& folder) { return absl::StartsWith(path, folder); });
}

// What begins with `target` may be included from `allowed` only.
void ExpectOnlyFrom(const std::vector<std::string>& targets,
                    const std::vector<std::string>& allowed) {
  for (const Include& include : AllIncludes()) {
    if (InAny(include.target, targets)) {
      EXPECT_TRUE(InAny(include.file, allowed))
          << include.file << " includes " << include.target << "; that belongs to "
          << absl::StrJoin(allowed, ", ");
    }
  }
}

// What is below `folder` may include only these of our own.
void ExpectOnly(const std::string& folder, const std::vector<std::string>& allowed) {
  for (const Include& include : AllIncludes()) {
    if (!absl::StartsWith(include.file, folder)) continue;
    if (!InAny(include.target, {"common/", "manager/", "agent/", "hostq/", "tests/"})) continue;
    EXPECT_TRUE(absl::StartsWith(include.target, folder) || InAny(include.target, allowed))
        << include.file << " includes " << include.target << "; " << folder << " may include "
        << absl::StrJoin(allowed, ", ");
  }
}

TEST(LayersTest, ThereIsSomethingToLookAt) { EXPECT_GT(AllIncludes().size(), 200u); }

TEST(LayersTest, ManagerAndAgentDoNotKnowEachOther) {
  for (const Include& include : AllIncludes()) {
    if (absl::StartsWith(include.file, "manager/")) {
      EXPECT_FALSE(absl::StartsWith(include.target, "agent/")) << include.file;
    }
    if (absl::StartsWith(include.file, "agent/")) {
      EXPECT_FALSE(absl::StartsWith(include.target, "manager/")) << include.file;
    }
    EXPECT_FALSE(absl::StartsWith(include.target, "tests/")) << include.file;
  }
}

TEST(LayersTest, CommonKnowsNeither) {
  ExpectOnly("common/", {"common/", "hostq/"});
  ExpectOnly("common/base/", {});
}

TEST(LayersTest, CoreIsPure) {
  ExpectOnly("manager/domain/", {"common/base/"});
  // What ties the audit's entries together is pure too, but for the hash; the store computes it
  // when it writes, hostq when it verifies. The engine knows of it only how refusals are gathered.
  ExpectOnly("manager/audit/", {"manager/domain/", "common/base/", "common/crypto/hash.h"});
  ExpectOnly("manager/engine/", {"manager/domain/", "manager/audit/refusals.h",
                                 "manager/store/store.h", "common/base/"});
  ExpectOnly("manager/store/",
             {"manager/domain/", "manager/audit/chain.h", "common/base/", "common/sqlite/"});
  // Facts about the manager's machine, and what follows from them; hostq uses it too.
  ExpectOnly("manager/health/", {"common/base/"});
  ExpectOnly("manager/cluster/", {"manager/domain/", "manager/engine/", "manager/store/store.h",
                                  "common/base/", "hostq/"});
}

TEST(LayersTest, NodeSideHasItsLayers) {
  ExpectOnly("agent/host/", {"common/base/"});
  ExpectOnly("agent/actions/", {"agent/host/", "common/base/", "hostq/"});
  ExpectOnly("agent/journal/", {"common/base/", "common/sqlite/", "hostq/"});
}

TEST(LayersTest, GrpcIsAtTheEdgesOnly) {
  ExpectOnlyFrom(
      {"grpc", "grpcpp/"},
      {"common/rpc/", "manager/session/", "manager/api/", "manager/http/", "manager/cli/",
       "manager/main.cc", "manager/server", "manager/https_port", "agent/link/", "agent/main.cc"});
}

// What is told to others: webhooks know HTTP and nothing of the API; who is mailed knows neither.
TEST(LayersTest, WebhooksAndNoticesStandBesideTheApi) {
  ExpectOnly("manager/webhook/", {"manager/access/", "manager/cluster/", "manager/engine/",
                                  "manager/domain/", "common/", "hostq/"});
  ExpectOnly("manager/notify/", {"manager/webhook/filter.h", "manager/cluster/", "manager/engine/",
                                 "manager/domain/", "common/", "hostq/"});
}

TEST(LayersTest, SqliteIsBehindItsWrapper) {
  ExpectOnlyFrom({"sqlite3.h"}, {"common/sqlite/"});
  ExpectOnlyFrom({"common/sqlite/"}, {"common/sqlite/", "manager/store/", "agent/journal/"});
}

TEST(LayersTest, OpensslIsBehindCommonCryptoAndRpc) {
  ExpectOnlyFrom({"openssl/"}, {"common/crypto/", "common/rpc/"});
}

TEST(LayersTest, BoostIsForHttp) {
  ExpectOnlyFrom({"boost/"}, {"manager/http/connection.", "manager/http/http_server.cc",
                              "manager/webhook/http_client.cc"});
  // What is above the services, and knows none of what is below them but who is let in.
  ExpectOnly("manager/http/",
             {"manager/access/", "manager/api/admission.h", "manager/api/event_service.h",
              "common/base/", "common/crypto/", "common/log/", "common/rpc/", "hostq/"});
}

TEST(LayersTest, PrometheusIsBehindManagerMetrics) {
  ExpectOnlyFrom({"prometheus/"}, {"manager/metrics/page.cc"});
  // What is counted is counted by who owns it; here it is put together.
  ExpectOnly("manager/metrics/", {"manager/cluster/", "manager/domain/", "manager/engine/",
                                  "manager/store/store.h", "common/base/", "hostq/"});
}

TEST(LayersTest, LinuxIsBehindTheHostSeam) {
  ExpectOnlyFrom({"sys/mount.h", "sys/quota.h", "linux/quota.h", "linux/dqblk_xfs.h", "netlink/",
                  "libmount/", "linux/rtnetlink.h", "linux/if_arp.h", "netpacket/"},
                 {"agent/host/"});
}

TEST(LayersTest, LoggingLibraryStaysOutOfHeaders) {
  for (const Include& include : AllIncludes()) {
    if (absl::StartsWith(include.target, "spdlog/") ||
        absl::StartsWith(include.target, "toml++/")) {
      EXPECT_TRUE(EndsWith(include.file, ".cc")) << include.file << " includes " << include.target;
    }
  }
}

}  // namespace
}  // namespace hostq::lint
