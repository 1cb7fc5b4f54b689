#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "programs.h"
#include "test_manager.h"

namespace hostq::manager::testing {

// A node whose agent is the real program, joined to a manager; as root it becomes the user nobody.
// Nothing is done to this machine: a script answers for the executor.
class RealNode {
 public:
  RealNode();

  ScriptedExecutor& executor() { return executor_; }
  Program& agent() { return agent_; }
  const Folder& folder() const { return folder_; }
  // The exit code of hostq-agent join with these words. It need not be the agent's process.
  int Join(const std::vector<std::string>& words, const std::string& crash = "");
  int Join(Program& process, const std::vector<std::string>& words, const std::string& crash = "");
  // As the node `name` with a token. Fails the test if it cannot.
  void Join(TestManager& manager, const std::string& name, const std::string& address);
  // `crash`: NAME:N, where the agent is killed. `pause`: the same, where it is stopped.
  void Start(const std::string& crash = "", const std::string& pause = "");

  std::string path(const std::string& name) const { return folder_.path() + "/state/" + name; }
  // What an agent that starts now would take, if it is whole: the key is the certificate's. Fails
  // the test if not.
  Joined Identity() const;
  std::string Serial() const;

 private:
  std::map<std::string, std::string> Armed(const std::string& crash, const std::string& pause);

  Folder folder_;
  const std::string config_;
  ScriptedExecutor executor_;
  Program agent_;
};

}  // namespace hostq::manager::testing
