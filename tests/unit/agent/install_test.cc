// Goal: an identity takes another's place whole, and no key is used twice. Method: folders as a
// crash leaves them; tests/integration/agent_install_test.cc makes the crashes.
#include "agent/link/install.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "common/crypto/secret_file.h"
#include "tests/unit/trust/temporary_folder.h"

namespace hostq::agent {
namespace {

class InstallTest : public testing::Test {
 protected:
  static Identity Made(const std::string& mark) {
    return {PrivateKey::Generate().ToPem(), "certificate " + mark, "authority " + mark,
            "manager " + mark, "enrollment " + mark};
  }
  absl::Status Install(const Identity& made, Pending pending) const {
    const auto former = LoadIdentity(dir());
    if (pending == Pending::kJoin || !former.ok()) return InstallJoined(dir(), made);
    return InstallRenewed(dir(), made, *former);
  }
  std::string Hash(const std::string& file) const {
    return PrivateKey::FromPem(*ReadSecretFile(dir() + file))->public_key().Hash();
  }
  const std::string& dir() const { return folder_.path(); }

  const TemporaryFolder folder_;
};

TEST_F(InstallTest, TakesTheOthersPlace) {
  for (const Pending pending : {Pending::kJoin, Pending::kRenewal}) {
    for (const char* mark : {"one", "two"}) {
      const Identity made = Made(mark);
      ASSERT_TRUE(Install(made, pending).ok());
      const auto loaded = LoadIdentity(dir());
      ASSERT_TRUE(loaded.ok()) << loaded.status();
      EXPECT_EQ(loaded->key_pem.Reveal(), made.key_pem.Reveal());
      EXPECT_EQ(loaded->certificate_pem, made.certificate_pem);
      EXPECT_EQ(loaded->ca_pem, made.ca_pem);
      EXPECT_EQ(loaded->manager_address, made.manager_address);
      EXPECT_EQ(loaded->enrollment_address, made.enrollment_address);
      EXPECT_FALSE(std::filesystem::exists(PendingDirectory(dir(), pending)));
    }
  }
}

TEST_F(InstallTest, APendingKeyIsKeptUntilItIsInstalled) {
  const std::string pending = PendingDirectory(dir(), Pending::kRenewal);
  ASSERT_TRUE(MakeDirectory(pending).ok());
  const auto key = PendingKey(pending);
  ASSERT_TRUE(key.ok()) << key.status();
  DropLeftovers(pending);
  const auto again = PendingKey(pending);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(key->public_key().Hash(), again->public_key().Hash());
  EXPECT_EQ(Hash("/identity.next/node.key"), key->public_key().Hash());
  // A file that was cut off by a full disk is no key.
  ASSERT_TRUE(WriteFileDurably(pending + "/node.key", "junk", 0600, IfExists::kReplace).ok());
  const auto third = PendingKey(pending);
  ASSERT_TRUE(third.ok()) << third.status();
  EXPECT_NE(third->public_key().Hash(), key->public_key().Hash());
}

// Killed right after the exchange: the former identity lies where the next one is put together.
TEST_F(InstallTest, TheKeyOfWhatWasReplacedIsNotUsedAgain) {
  const std::string pending = PendingDirectory(dir(), Pending::kRenewal);
  ASSERT_TRUE(Install(Made("former"), Pending::kRenewal).ok());
  std::filesystem::copy(dir() + "/identity", pending);
  const std::string former = Hash("/identity.next/node.key");
  for (const char* gone : {"", "node.key", "ca.crt", "manager"}) {
    if (*gone != '\0') std::filesystem::remove(pending + "/" + gone);
    DropLeftovers(pending);
    EXPECT_TRUE(std::filesystem::is_empty(pending)) << gone;
    std::filesystem::copy(dir() + "/identity", pending,
                          std::filesystem::copy_options::overwrite_existing);
  }
  DropLeftovers(pending);
  const auto key = PendingKey(pending);
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_NE(key->public_key().Hash(), former);
  DropLeftovers(dir() + "/none");
}

// Killed while a file was written: what was begun has a name of its own, and may be a key.
TEST_F(InstallTest, NothingOfAReplacedIdentityStays) {
  ASSERT_TRUE(Install(Made("former"), Pending::kRenewal).ok());
  for (const char* stray : {"node.key.new-1", "ca.crt.new-1"}) {
    ASSERT_TRUE(
        WriteFileDurably(dir() + "/identity/" + stray, "junk", 0600, IfExists::kRefuse).ok());
  }
  ASSERT_TRUE(Install(Made("next"), Pending::kRenewal).ok());
  EXPECT_FALSE(std::filesystem::exists(dir() + "/identity.next"));
  EXPECT_FALSE(std::filesystem::exists(dir() + "/identity/node.key.new-1"));
  ASSERT_TRUE(LoadIdentity(dir()).ok());
}

TEST_F(InstallTest, WhatWasJoinedMeanwhileStays) {
  const Identity former = Made("former");
  const Identity joined = Made("joined");
  ASSERT_TRUE(InstallJoined(dir(), former).ok());
  const std::string pending = PendingDirectory(dir(), Pending::kRenewal);
  ASSERT_TRUE(MakeDirectory(pending).ok());
  ASSERT_TRUE(PendingKey(pending).ok());
  ASSERT_TRUE(InstallJoined(dir(), joined).ok());
  EXPECT_TRUE(absl::IsAborted(InstallRenewed(dir(), Made("renewed"), former)));
  EXPECT_TRUE(absl::IsAborted(InstallTrust(dir(), former, "others", "elsewhere:1")));
  const auto loaded = LoadIdentity(dir());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->certificate_pem, joined.certificate_pem);
  EXPECT_EQ(loaded->ca_pem, joined.ca_pem);
  EXPECT_TRUE(std::filesystem::is_empty(pending)) << "a key for the former one";
}

// A token is for one key: a renewal in between must not take it.
TEST_F(InstallTest, JoiningAnewAndRenewingKeepApart) {
  ASSERT_TRUE(Install(Made("former"), Pending::kJoin).ok());
  const std::string join = PendingDirectory(dir(), Pending::kJoin);
  ASSERT_TRUE(MakeDirectory(join).ok());
  const auto key = PendingKey(join);
  ASSERT_TRUE(key.ok()) << key.status();
  ASSERT_TRUE(Install(Made("renewed"), Pending::kRenewal).ok());
  EXPECT_EQ(PendingKey(join)->public_key().Hash(), key->public_key().Hash());
}

// Another process may load it while it is exchanged.
TEST_F(InstallTest, WhoLoadsItSeesOneWhole) {
  const Identity made[] = {Made("one"), Made("two")};
  ASSERT_TRUE(Install(made[0], Pending::kJoin).ok());
  std::atomic<bool> done = false;
  std::thread installing([&] {
    for (int i = 1; i <= 100; ++i) {
      EXPECT_TRUE(Install(made[i % 2], Pending::kJoin).ok());
    }
    done = true;
  });
  while (!done) {
    const auto loaded = LoadIdentity(dir());
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    const Identity& whole = loaded->certificate_pem == made[0].certificate_pem ? made[0] : made[1];
    EXPECT_EQ(loaded->certificate_pem, whole.certificate_pem);
    EXPECT_EQ(loaded->key_pem.Reveal(), whole.key_pem.Reveal());
    EXPECT_EQ(loaded->enrollment_address, whole.enrollment_address);
  }
  installing.join();
}

TEST_F(InstallTest, AuthoritiesAloneAreReplaced) {
  const Identity made = Made("one");
  ASSERT_TRUE(Install(made, Pending::kJoin).ok());
  ASSERT_TRUE(InstallTrust(dir(), made, "others", "elsewhere:1").ok());
  const auto loaded = LoadIdentity(dir());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->ca_pem, "others");
  EXPECT_EQ(loaded->enrollment_address, "elsewhere:1");
  EXPECT_EQ(loaded->certificate_pem, made.certificate_pem);
}

}  // namespace
}  // namespace hostq::agent
