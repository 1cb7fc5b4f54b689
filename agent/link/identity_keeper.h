#pragma once

#include <optional>
#include <string>
#include <thread>

#include "agent/link/identity.h"
#include "agent/link/renewal.h"
#include "agent/link/transport.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/base/random.h"

namespace hostq::agent {

// Keeps what the node shows and whom it trusts: renews the certificate in time, and after it was
// refused; writes what the manager tells of its authorities. On a thread of its own, because all of
// that blocks. Thread-safe.
class IdentityKeeper {
 public:
  // Changes go to `sink` as IdentityChange, on its thread, after they are durable; not after the
  // destructor has returned. `clock` must outlive it.
  IdentityKeeper(std::string state_dir, Identity identity, Clock& clock, uint64_t seed,
                 Transport::Sink sink);
  // Waits for what is under way (at most a call's deadline).
  ~IdentityKeeper();
  IdentityKeeper(const IdentityKeeper&) = delete;
  IdentityKeeper& operator=(const IdentityKeeper&) = delete;

  // The manager tells of its authorities. The connection that brought it is authenticated.
  void OnTrust(const v1::Trust& trust);
  // The manager does not take the present certificate.
  void OnRefused();

 private:
  void Run();
  void TakeTrust(const v1::Trust& trust);
  bool TakeFiles();
  void RenewNow();
  void Plan(bool renewed);
  void Tell(bool renewed);

  const std::string state_dir_;
  Clock& clock_;
  const Transport::Sink sink_;
  // The thread's alone.
  SeededRandom random_;
  Identity identity_;
  RenewalPlan plan_;
  bool told_of_another_ = false;

  Mutex mutex_;
  CondVar wake_;
  std::optional<v1::Trust> trust_ ABSL_GUARDED_BY(mutex_);
  bool refused_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace hostq::agent
