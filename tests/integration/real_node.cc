#include "real_node.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "agent/link/identity.h"
#include "common/crypto/certificate.h"
#include "common/crypto/key.h"

namespace hostq::manager::testing {
namespace {

std::string MakeRunDirectory(const Folder& folder) {
  const std::string path = folder.path() + "/run";
  std::filesystem::create_directory(path);
  return path;
}

}  // namespace

RealNode::RealNode()
    : config_(folder_.Write(
          "agent.toml",
          absl::StrCat("user = \"nobody\"\nstate_dir = \"", folder_.path(),
                       "/state\"\n[executor]\nrun_dir = \"", folder_.path(),
                       "/run\"\nstate_dir = \"", folder_.path(),
                       "/executor\"\n[policy]\nrepair = false\n[hooks]\ndirectory = \"\"\n"),
          0644)),
      executor_(MakeRunDirectory(folder_) + "/socket"),
      agent_(folder_.path() + "/agent") {}

int RealNode::Join(const std::vector<std::string>& words, const std::string& crash) {
  return Join(agent_, words, crash);
}

int RealNode::Join(Program& process, const std::vector<std::string>& words,
                   const std::string& crash) {
  std::vector<std::string> all = {HOSTQ_AGENT, "join", "--config", config_};
  all.insert(all.end(), words.begin(), words.end());
  return process.Run(all, Armed(crash, ""));
}

void RealNode::Join(TestManager& manager, const std::string& name, const std::string& address) {
  const std::string token = manager.AddNode(name, v1::Node::APP, address);
  ASSERT_EQ(Join({"--manager", manager.server().enrollment_address(), "--token", token, "--ca-pin",
                  manager.server().ca_pin()}),
            0)
      << agent_.err();
}

std::map<std::string, std::string> RealNode::Armed(const std::string& crash,
                                                   const std::string& pause) {
  if (crash.empty() && pause.empty()) return {};
  // The agent makes it, which is nobody.
  const std::string folder = folder_.path() + "/passes";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directory(folder);
  std::filesystem::permissions(folder, std::filesystem::perms(0777));
  if (!crash.empty()) return {{"HOSTQ_CRASH_POINT", absl::StrCat(crash, ":", folder, "/passed")}};
  return {{"HOSTQ_PAUSE_POINT", absl::StrCat(pause, ":", folder, "/passed")}};
}

void RealNode::Start(const std::string& crash, const std::string& pause) {
  agent_.Start({HOSTQ_AGENT, "run", "--config", config_}, Armed(crash, pause));
}

Joined RealNode::Identity() const {
  const auto identity = agent::LoadIdentity(folder_.path() + "/state");
  if (!identity.ok()) {
    ADD_FAILURE() << identity.status();
    return {};
  }
  const auto info = ParseCertificate(identity->certificate_pem);
  const auto key = PrivateKey::FromPem(identity->key_pem);
  EXPECT_TRUE(info.ok() && key.ok() && info->key_hash == key->public_key().Hash());
  EXPECT_FALSE(PinsOf(identity->ca_pem).empty());
  EXPECT_FALSE(identity->manager_address.empty());
  return {info.ok() ? info->common_name : "",
          {identity->certificate_pem, identity->key_pem},
          identity->ca_pem};
}

std::string RealNode::Serial() const {
  return ParseCertificate(Identity().identity.certificate_chain_pem)->serial;
}

}  // namespace hostq::manager::testing
