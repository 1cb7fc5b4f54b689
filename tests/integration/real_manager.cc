#include "real_manager.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "test_manager.h"

namespace hostq::manager::testing {
namespace {

using hostq::testing::Finished;

std::string LoopbackAddress() { return absl::StrCat("127.0.0.1:", FreePort()); }

}  // namespace

RealManager::RealManager(const std::string& more)
    : agents_(LoopbackAddress()),
      api_(LoopbackAddress()),
      https_(LoopbackAddress()),
      config_(folder_.Write(
          "manager.toml",
          absl::StrCat("state_dir = \"", folder_.path(),
                       "/state\"\n[cluster]\nname = \"test\"\nquorum_address = \"127.0.0.1\"\n",
                       "[listen]\nagents = \"", agents_, "\"\nenrollment = \"", LoopbackAddress(),
                       "\"\napi = \"", api_, "\"\nhttps = \"", https_, "\"\nadmin_socket = \"",
                       folder_.path(), "/manager.sock\"\n", more))),
      program_(folder_.path() + "/manager") {}

int RealManager::Init(const std::vector<std::string>& words) {
  std::vector<std::string> all = {HOSTQ_MANAGER, "init", "--config", config_};
  all.insert(all.end(), words.begin(), words.end());
  return program_.Run(all);
}

bool RealManager::Start() {
  program_.Start({HOSTQ_MANAGER, "run", "--config", config_});
  return Eventually([this] { return !program_.running() || Hostq("node list").exit_code == 0; }) &&
         program_.running();
}

Finished RealManager::Hostq(const std::string& line) {
  return Hostq(std::vector<std::string>(absl::StrSplit(line, ' ', absl::SkipEmpty())));
}

Finished RealManager::Hostq(const std::vector<std::string>& words, const std::string& as) {
  std::vector<std::string> all = {HOSTQ_BINARY};
  all.insert(all.end(), words.begin(), words.end());
  return hostq::testing::RunProcess(
      all, {{"HOSTQ_SOCKET", folder_.path() + "/manager.sock"}, {"SUDO_USER", as}}, "");
}

}  // namespace hostq::manager::testing
