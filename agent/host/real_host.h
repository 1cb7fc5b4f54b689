#pragma once

#include <memory>
#include <string>

#include "agent/host/host.h"

namespace hostq::agent {

struct RealHostOptions {
  // The agent's own directories: durable, and gone with the next boot. Made when needed.
  std::string state_directory = "/var/lib/hostq/agent";
  std::string run_directory = "/run/hostq/agent";
};

// This machine. Cheap to make: opens nothing before it is used.
std::unique_ptr<Host> MakeRealHost(const RealHostOptions& options = {});

}  // namespace hostq::agent
