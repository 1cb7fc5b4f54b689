#pragma once

#include <cstdlib>

#include "agent/host/host.h"

namespace hostq::agent {

// For tests whose steps never touch the host.
class NoHost final : public Host {
 public:
  Mounts& mounts() override { std::abort(); }
  Quotas& quotas() override { std::abort(); }
  Addresses& addresses() override { std::abort(); }
  Users& users() override { std::abort(); }
  Files& files() override { std::abort(); }
  Notes& notes() override { std::abort(); }
  Hooks& hooks() override { std::abort(); }
  Reloads& reloads() override { std::abort(); }
  Exports& exports() override { std::abort(); }
  VirtualServices& virtual_services() override { std::abort(); }
  System& system() override { std::abort(); }
};

}  // namespace hostq::agent
