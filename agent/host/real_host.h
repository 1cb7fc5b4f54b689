#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/host/host.h"

namespace hostq::agent {

struct RealHostOptions {
  // The executor's own directories: durable, and gone with the next boot. Made when needed.
  std::string state_directory = "/var/lib/hostq/executor";
  std::string run_directory = "/run/hostq-executor";
  // Where the agent has its journal, which is to be on a disk that works. Belongs to the agent's
  // user: nothing in it is trusted.
  std::string journal_directory = "/var/lib/hostq/agent";
  std::vector<QuotaRule> quota_rules;
};

// This machine. Cheap to make: opens nothing before it is used.
std::unique_ptr<Host> MakeRealHost(const RealHostOptions& options = {});

}  // namespace hostq::agent
