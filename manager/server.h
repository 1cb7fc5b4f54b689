#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/random.h"
#include "common/config/manager_config.h"
#include "common/crypto/identity.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "manager/access/certificate_authority.h"
#include "manager/access/enroller.h"
#include "manager/api/authorization.h"
#include "manager/api/event_hub.h"
#include "manager/api/workers.h"
#include "manager/cluster/cluster.h"
#include "manager/engine/engine.h"
#include "manager/session/session_service.h"
#include "manager/state_dir.h"
#include "manager/store/retention.h"
#include "manager/store/store.h"

namespace hostq::manager {

class AccountService;
class CommandService;
class EngineTokenStore;
class EnrollmentService;
class EventService;
class NodeService;

// The running manager: store, cluster, engine, services and their three listeners (agents,
// enrollment, administrators), each with its own services only.
class Server {
 public:
  // Blocks on disk and network. `config.state_dir` was made by InitStateDir.
  // Errors: FAILED_PRECONDITION and NOT_FOUND (not initialized, or another manager runs),
  // UNAVAILABLE (cannot listen), those of Store::Load, Cluster::Load and CertificateAuthority.
  // Of `sessions`, what the configuration says comes from there.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ManagerConfig& config,
                                                       const SessionOptions& sessions = {});
  ~Server();

  // Ends streams and calls, at most `deadline` later by force, then the engine. May be called
  // twice.
  void Stop(absl::Duration deadline);

  // OK until the store has failed; then nothing is accepted any more, and reads go on.
  absl::Status failed() const { return engine_->failed(); }
  const std::string& agents_address() const { return agents_address_; }
  const std::string& enrollment_address() const { return enrollment_address_; }
  const std::string& ca_pin() const { return ca_->pin(); }
  SessionService& sessions() { return *session_service_; }

 private:
  Server(const ManagerConfig& config, const SessionOptions& sessions);
  absl::Status OpenState();
  void MakeServices();
  absl::Status Listen();
  absl::StatusOr<TlsIdentity> Identity() const;
  absl::Status AdmitPeer(const PeerNode& peer) const;
  absl::Status StartListener(Listener listener, const std::string& address,
                             std::shared_ptr<grpc::ServerCredentials> credentials,
                             const std::vector<std::pair<const char*, grpc::Service*>>& services);

  const ManagerConfig config_;
  SessionOptions session_options_;
  // As the nodes are told.
  std::string agents_address_;
  std::string enrollment_address_;

  // In order of construction; what is below uses what is above.
  std::unique_ptr<StateLock> lock_;
  std::unique_ptr<CertificateAuthority> ca_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Cluster> cluster_;
  SeededRandom random_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Retention> retention_;
  std::unique_ptr<Workers> workers_;
  std::unique_ptr<Workers> enrollment_workers_;
  std::unique_ptr<RateLimiter> limiter_;
  std::unique_ptr<EventHub> events_;
  std::unique_ptr<EngineTokenStore> tokens_;
  std::unique_ptr<Enroller> enroller_;
  std::unique_ptr<SessionService> session_service_;
  std::unique_ptr<EnrollmentService> enrollment_service_;
  std::unique_ptr<CommandService> command_service_;
  std::unique_ptr<NodeService> node_service_;
  std::unique_ptr<AccountService> account_service_;
  std::unique_ptr<EventService> event_service_;
  std::vector<std::unique_ptr<grpc::Server>> listeners_;
};

// "ADDRESS:PORT" as others reach it: a wildcard address is replaced by `quorum_address`.
// Errors: INVALID_ARGUMENT (INVALID_ARGUMENT).
absl::StatusOr<std::string> ReachableAddress(const std::string& listen,
                                             const std::string& quorum_address);

}  // namespace hostq::manager
