// Goal: hostq makes keys and identities and works with them from elsewhere, and says what is wrong
// when it cannot. Method: the program itself, at a real manager.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "api_client.h"
#include "common/crypto/secret_file.h"
#include "tests/unit/cli/process.h"

namespace hostq::manager::testing {
namespace {

using hostq::testing::Finished;
using ::testing::HasSubstr;
using ::testing::Not;

class RemoteCliTest : public ::testing::Test {
 protected:
  RemoteCliTest() {
    dir_ = manager_.config().state_dir + "/cli";
    std::filesystem::create_directory(dir_);
    manager_.AddNode("web1", v1::Node::APP, "192.0.2.11");
  }
  Finished Run(std::vector<std::string> words,
               std::map<std::string, std::string> environment = {}) {
    words.insert(words.begin(), HOSTQ_BINARY);
    environment["HOSTQ_SOCKET"] = manager_.config().listen.admin_socket;
    return hostq::testing::RunProcess(words, environment, "");
  }
  Finished Remote(std::vector<std::string> words, const std::vector<std::string>& who) {
    words.insert(words.begin(), who.begin(), who.end());
    words.insert(words.begin(), {"--manager", manager_.config().listen.api});
    return Run(std::move(words));
  }
  std::string Write(const std::string& name, const std::string& text, int mode = 0600) {
    const std::string path = dir_ + "/" + name;
    EXPECT_TRUE(WriteFileDurably(path, text, mode, IfExists::kReplace).ok());
    return path;
  }
  // The key in what "key create" prints.
  static std::string KeyIn(const std::string& text) {
    for (const absl::string_view word : absl::StrSplit(text, absl::ByAnyChar(" \n"))) {
      if (absl::StartsWith(word, "hostq_")) return std::string(word);
    }
    ADD_FAILURE() << text;
    return "";
  }

  TestManager manager_;
  std::string dir_;
};

TEST_F(RemoteCliTest, AdministratorFromElsewhere) {
  const std::string file = dir_ + "/alice.pem";
  Finished run = Run({"administrator", "add", "alice", "--out", file, "--days", "30"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  struct stat info {};
  ASSERT_EQ(stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  run = Remote({"node", "list"}, {"--identity", file});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("web1"));
  run = Run({"administrator", "list"});
  EXPECT_THAT(run.out, HasSubstr("alice"));
  EXPECT_THAT(run.out, HasSubstr("active"));
  // An existing file is not overwritten, and nothing is issued.
  run = Run({"administrator", "add", "bob", "--out", file});
  EXPECT_NE(run.exit_code, 0);
  EXPECT_THAT(Run({"administrator", "list"}).out, Not(HasSubstr("bob")));
  // From elsewhere nobody adds another; the file that was begun is gone.
  run = Remote({"administrator", "add", "bob", "--out", dir_ + "/bob.pem"}, {"--identity", file});
  EXPECT_EQ(run.exit_code, 5) << run.err;
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/bob.pem"));
  run = Run({"administrator", "revoke", "alice", "--note", "left"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  run = Remote({"node", "list"}, {"--identity", file});
  EXPECT_EQ(run.exit_code, 5) << run.err;
  EXPECT_THAT(run.err, HasSubstr("revoked"));
}

TEST_F(RemoteCliTest, KeysFromTheFirstToTheLastDay) {
  Finished run = Run({"key", "create", "monitor", "--scope", "read", "--source", "127.0.0.1"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const std::string key = KeyIn(run.out);
  const std::string file = Write("key", key + "\n");
  const std::string ca = Write("ca.pem", manager_.ca_pem());
  const std::vector<std::string> who = {"--key-file", file, "--ca-cert", ca};
  run = Remote({"node", "list"}, who);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  run = Remote({"node", "pause", "web1", "--note", "x"}, who);
  EXPECT_EQ(run.exit_code, 5) << run.err;
  EXPECT_THAT(run.err, HasSubstr("OUT_OF_SCOPE"));
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"key", "list"}, {"key", "show", "monitor"}}) {
    run = Run(words);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    EXPECT_THAT(run.out, HasSubstr("monitor"));
    EXPECT_THAT(run.out, HasSubstr("127.0.0.1"));
    EXPECT_THAT(run.out, Not(HasSubstr(key.substr(17, 20))));
  }
  run = Run({"key", "rotate", "monitor", "--keep", "0", "--output", "json"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("\"text\""));
  run = Remote({"node", "list"}, who);
  EXPECT_EQ(run.exit_code, 5) << run.err;
  EXPECT_THAT(run.err, Not(HasSubstr(key.substr(17, 20))));
  run = Run({"key", "revoke", "monitor", "--note", "over"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(Run({"key", "list"}).out, Not(HasSubstr("monitor")));
  EXPECT_THAT(Run({"key", "list", "--all"}).out, HasSubstr("revoked"));
  EXPECT_EQ(Run({"key", "show", "nobody"}).exit_code, 3);
}

// A remedy names a file of the manager; after a rotation that one is still the right one.
TEST_F(RemoteCliTest, TheAuthorityThatIsNamedIsTheOneThatCounts) {
  const std::string key = Write("key", MakeKey(manager_, "monitor", {"read"}));
  const std::string before = Write("before.pem", manager_.ca_pem());
  for (const char* step : {"prepare", "activate", "retire"}) {
    const Finished run = Run({"authority", step});
    ASSERT_EQ(run.exit_code, 0) << step << run.err;
  }
  // The listeners follow within a second or two.
  Finished old;
  for (const absl::Time end = absl::Now() + absl::Seconds(20); absl::Now() < end;) {
    old = Remote({"node", "list"}, {"--key-file", key, "--ca-cert", before});
    if (old.exit_code != 0) break;
    absl::SleepFor(absl::Milliseconds(50));
  }
  EXPECT_EQ(old.exit_code, 4) << old.err;
  const Finished none = Remote({"node", "list"}, {"--key-file", key});
  EXPECT_EQ(none.exit_code, 2) << none.err;
  for (const std::string& text : {old.err, none.err, Run({"--help"}).out}) {
    const size_t at = text.find("ca/");
    ASSERT_NE(at, text.npos) << text;
    const std::string named = text.substr(at, text.find_first_of(" \n)", at) - at);
    const Finished run = Remote({"node", "list"}, {"--key-file", key, "--ca-cert",
                                                   manager_.config().state_dir + "/" + named});
    EXPECT_EQ(run.exit_code, 0) << named << ": " << run.err;
  }
}

TEST_F(RemoteCliTest, WrongFilesAreNamed) {
  const std::string good = Write("key", "hostq_abc");
  const std::string ca = Write("ca.pem", manager_.ca_pem());
  const auto usage = [&](const std::vector<std::string>& who, const std::string& what) {
    const Finished run = Remote({"node", "list"}, who);
    EXPECT_EQ(run.exit_code, 2) << run.err;
    EXPECT_THAT(run.err, HasSubstr(what));
  };
  usage({}, "needs to know who you are");
  usage({"--key-file", good}, "--ca-cert");
  usage({"--key-file", good, "--identity", good}, "at the same time");
  usage({"--key-file", dir_ + "/none", "--ca-cert", ca}, "none");
  usage({"--key-file", Write("open", "hostq_abc", 0644), "--ca-cert", ca}, "open");
  usage({"--key-file", Write("other", "secret"), "--ca-cert", ca}, "is not an API key");
  usage({"--key-file", good, "--ca-cert", good}, "is not a certificate");
  usage({"--identity", good}, "has no private key");
  usage({"--identity", Write("only-key", std::string(PrivateKey::Generate().ToPem().Reveal()))},
        "has no certificate");
}

TEST_F(RemoteCliTest, WhatTlsHasAgainstItIsSaid) {
  const std::string key = Write("key", MakeKey(manager_, "monitor", {"read"}));
  const std::string other = manager_.config().state_dir + "/other";
  std::filesystem::create_directory(other);
  ASSERT_TRUE(CertificateAuthority::Create(other, "test", absl::Now()).ok());
  Finished run = Remote({"node", "list"}, {"--key-file", key, "--ca-cert", other + "/ca/ca.pem"});
  EXPECT_EQ(run.exit_code, 4) << run.err;
  EXPECT_THAT(run.err, HasSubstr("not a manager's of this cluster"));
  run = Run({"--manager", absl::StrCat("127.0.0.1:", FreePort()), "--key-file", key, "--ca-cert",
             manager_.config().state_dir + "/ca/ca.pem", "node", "list"});
  EXPECT_EQ(run.exit_code, 4) << run.err;
  EXPECT_THAT(run.err, HasSubstr("listen.api"));
}

}  // namespace
}  // namespace hostq::manager::testing
