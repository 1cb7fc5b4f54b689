#pragma once

#include "agent/host/addresses.h"
#include "agent/host/exports.h"
#include "agent/host/files.h"
#include "agent/host/hooks.h"
#include "agent/host/mounts.h"
#include "agent/host/quotas.h"
#include "agent/host/system.h"
#include "agent/host/users.h"
#include "agent/host/virtual_services.h"

namespace hostq::agent {

// The seam to the machine: the only way in which actions see and change it. RealHost is Linux
// (agent/host/real_host.h), FakeHost works in memory (tests/testing/fake_host.h).
//
// Calls block, some of them for as long as a file server is silent: they belong in a process of
// their own with a deadline (see agent/executor). Not thread-safe. Every error carries a Reason
// (common/base/error.h) and may carry evidence (agent/host/evidence.h).
class Host {
 public:
  virtual ~Host() = default;
  virtual Mounts& mounts() = 0;
  virtual Quotas& quotas() = 0;
  virtual Addresses& addresses() = 0;
  virtual Users& users() = 0;
  virtual Files& files() = 0;
  virtual Notes& notes() = 0;
  virtual Hooks& hooks() = 0;
  virtual Reloads& reloads() = 0;
  virtual Exports& exports() = 0;
  virtual VirtualServices& virtual_services() = 0;
  virtual System& system() = 0;
};

}  // namespace hostq::agent
