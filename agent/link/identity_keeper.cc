#include "agent/link/identity_keeper.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "agent/link/install.h"
#include "agent/link/renew.h"
#include "common/base/error.h"
#include "common/crypto/certificate.h"
#include "common/log/log.h"

namespace hostq::agent {
namespace {

constexpr absl::Duration kCallTimeout = absl::Seconds(10);
// The clock may be set, and the files replaced by whoever issues certificates outside.
constexpr absl::Duration kLook = absl::Seconds(10);
// Nodes told to renew do so within this.
constexpr absl::Duration kSpread = absl::Minutes(1);

}  // namespace

IdentityKeeper::IdentityKeeper(std::string state_dir, Identity identity, Clock& clock,
                               uint64_t seed, Transport::Sink sink)
    : state_dir_(std::move(state_dir)),
      clock_(clock),
      sink_(std::move(sink)),
      random_(seed),
      identity_(std::move(identity)),
      plan_(random_) {
  Plan(false);
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "identity");
    Run();
  });
}

IdentityKeeper::~IdentityKeeper() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    wake_.NotifyAll();
  }
  thread_.join();
}

void IdentityKeeper::OnTrust(const v1::Trust& trust) {
  const MutexLock lock(mutex_);
  trust_ = trust;
  wake_.NotifyAll();
}

void IdentityKeeper::OnRefused() {
  const MutexLock lock(mutex_);
  refused_ = true;
  wake_.NotifyAll();
}

void IdentityKeeper::Plan(bool renewed) {
  const auto info = ParseCertificate(identity_.certificate_pem);
  if (!info.ok()) return;
  renewed ? plan_.OnRenewed(info->not_before, info->not_after, clock_.Now())
          : plan_.OnCertificate(info->not_before, info->not_after, clock_.Now());
}

void IdentityKeeper::Tell(bool renewed) {
  IdentityChange change;
  change.trusts = PinsOf(identity_.ca_pem);
  change.identity = identity_;
  change.renewed = renewed;
  sink_({0, std::move(change)});
}

void IdentityKeeper::TakeTrust(const v1::Trust& trust) {
  if (!trust.ca_pem().empty() && PinsOf(trust.ca_pem()).empty()) {
    LogError("the manager tells of authorities that cannot be read");
    return;
  }
  const std::string ca_pem = trust.ca_pem().empty() ? identity_.ca_pem : trust.ca_pem();
  if (ca_pem != identity_.ca_pem || trust.enrollment_address() != identity_.enrollment_address) {
    const absl::Status written =
        InstallTrust(state_dir_, identity_, ca_pem, trust.enrollment_address());
    if (absl::IsAborted(written)) {  // what was joined meanwhile is told by its own session
      TakeFiles();
      return;
    }
    if (!written.ok()) {
      LogError("the cluster's authorities cannot be written", {{"status", written}});
      return;
    }
    identity_.ca_pem = ca_pem;
    const bool nowhere = identity_.enrollment_address.empty();
    identity_.enrollment_address = trust.enrollment_address();
    if (nowhere) Plan(false);  // an agent before 0.2 did not keep it
    LogInfo("authorities of the cluster changed", {{"count", PinsOf(ca_pem).size()}});
  }
  if (trust.renew()) plan_.OnWanted(clock_.Now(), kSpread);
  Tell(false);
}

// Whoever issues certificates outside, or an administrator (join), has replaced them. False: by
// those of another cluster, which count at the next start and must not be touched until then.
bool IdentityKeeper::TakeFiles() {
  absl::StatusOr<Identity> found = LoadIdentity(state_dir_);
  if (!found.ok() || found->certificate_pem == identity_.certificate_pem) return true;
  if (!ShareAuthority(found->ca_pem, identity_.ca_pem)) {
    if (!std::exchange(told_of_another_, true)) {
      LogWarning("this machine has joined another cluster: the agent has to be started again",
                 {{"manager", found->manager_address}});
    }
    return false;
  }
  identity_ = *std::move(found);
  LogInfo("another certificate was installed");
  Plan(false);
  Tell(true);
  return true;
}

void IdentityKeeper::RenewNow() {
  absl::StatusOr<Identity> renewed = Renew(state_dir_, identity_, kCallTimeout);
  if (!renewed.ok()) {
    plan_.OnFailed(renewed.status(), clock_.Now());
    LogWarning("the certificate was not renewed",
               {{"status", renewed.status()},
                {"remedy", InfoOf(ReasonOf(renewed.status())).remedy},
                {"again_in", plan_.due() - clock_.Now()}});
    if (absl::IsAborted(renewed.status())) TakeFiles();
    return;
  }
  identity_ = *std::move(renewed);
  Plan(true);
  LogInfo("certificate renewed", {{"next", absl::FormatTime(plan_.due(), absl::UTCTimeZone())}});
  Tell(true);
}

void IdentityKeeper::Run() {
  for (;;) {
    std::optional<v1::Trust> trust;
    bool refused = false;
    plan_.OnTime(clock_.Now());
    {
      const MutexLock lock(mutex_);
      const absl::Duration wait =
          std::clamp(plan_.due() - clock_.Now(), absl::ZeroDuration(), kLook);
      if (!stopping_ && !trust_ && !refused_) {
        wake_.WaitFor(mutex_, absl::ToChronoMilliseconds(wait + absl::Milliseconds(1)));
      }
      if (stopping_) return;
      trust = std::exchange(trust_, std::nullopt);
      refused = std::exchange(refused_, false);
    }
    const bool ours = TakeFiles();
    if (trust && ours) TakeTrust(*trust);
    // Certificates from outside are not asked for here.
    if (!ours || identity_.enrollment_address.empty()) {
      plan_.OnFailed(
          MakeError(absl::StatusCode::kFailedPrecondition, Reason::kNoBuiltInAuthority, ""),
          clock_.Now());
      continue;
    }
    if (refused) plan_.OnRefused(clock_.Now());
    if (clock_.Now() >= plan_.due()) RenewNow();
  }
}

}  // namespace hostq::agent
