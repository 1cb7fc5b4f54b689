#pragma once

#include <functional>
#include <optional>
#include <string>

#include "manager/access/certificate_store.h"
#include "manager/access/token_store.h"
#include "manager/cluster/cluster.h"
#include "manager/engine/engine.h"

namespace hostq::manager {

// Runs `change` on the engine's thread and waits until it is durable. `change` may run after the
// call has given up: it must own what it uses. Not for the engine's thread. Errors: those of
// `change`; UNAVAILABLE (STORE_UNAVAILABLE) also if the engine does not answer within 30 s.
absl::Status ChangeAndWait(Engine& engine,
                           std::function<absl::StatusOr<ChangeSet>(const Now&)> change,
                           Origin origin);

// Join tokens as the cluster has them.
class EngineTokenStore final : public TokenStore {
 public:
  // Both must outlive it.
  EngineTokenStore(Engine& engine, Cluster& cluster) : engine_(engine), cluster_(cluster) {}

  absl::StatusOr<std::optional<JoinToken>> GetToken(const std::string& id) override;
  absl::StatusOr<JoinToken> BindToken(const std::string& id, const std::string& key_hash) override;
  void Misused(const JoinToken& token, absl::string_view what, absl::string_view source) override;

 private:
  Engine& engine_;
  Cluster& cluster_;
};

// Nodes' certificates as the cluster has them.
class EngineCertificateStore final : public CertificateStore {
 public:
  // Both must outlive it.
  EngineCertificateStore(Engine& engine, Cluster& cluster) : engine_(engine), cluster_(cluster) {}

  absl::Status MayRenew(const ShownCertificate& shown, bool beyond_grace,
                        absl::string_view source) override;
  absl::Status Issued(const ShownCertificate& issued, absl::string_view source) override;
  // For a session, on the engine's thread: whether it may be; what follows from it is stored a
  // moment later. Errors: those of Cluster::CheckShown.
  absl::Status Used(const ShownCertificate& shown, absl::string_view source);

 private:
  // A replaced certificate was shown.
  void RaiseSuperseded(const ShownCertificate& shown, const absl::Status& status,
                       absl::string_view source);

  Engine& engine_;
  Cluster& cluster_;
};

storage::v1::Token ToRow(const JoinToken& token);
JoinToken FromRow(const storage::v1::Token& row);

}  // namespace hostq::manager
