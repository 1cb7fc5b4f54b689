#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/mutex.h"
#include "common/base/random.h"
#include "common/config/manager_config.h"
#include "common/crypto/identity.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "manager/access/authority_set.h"
#include "manager/access/enroller.h"
#include "manager/access/key_ring.h"
#include "manager/access/rate_limiter.h"
#include "manager/access/renewer.h"
#include "manager/access/socket_peers.h"
#include "manager/api/admission.h"
#include "manager/api/authorization.h"
#include "manager/api/event_hub.h"
#include "manager/api/open_streams.h"
#include "manager/api/workers.h"
#include "manager/cluster/cluster.h"
#include "manager/engine/engine.h"
#include "manager/https_port.h"
#include "manager/metrics/manager_metrics.h"
#include "manager/session/session_service.h"
#include "manager/socket_acceptor.h"
#include "manager/state_dir.h"
#include "manager/store/retention.h"
#include "manager/store/store.h"
#include "manager/tcp_acceptor.h"

namespace hostq::manager {

class AccountService;
class AuditService;
class AdministratorService;
class AlarmService;
class AuthorityService;
class AuthorityWatch;
class CommandService;
class EngineCertificateStore;
class EngineTokenStore;
class EnrollmentService;
class EventService;
class HealthService;
class KeyService;
class ManagerService;
class NodeService;
class Outbox;
class ReflectionService;

// The running manager: store, cluster, engine, services and their listeners (agents,
// enrollment, the API, HTTPS, the local socket), each with its own services only.
class Server {
 public:
  // Blocks on disk and network. `config.state_dir` was made by InitStateDir.
  // Errors: FAILED_PRECONDITION and NOT_FOUND (not initialized, or another manager runs),
  // UNAVAILABLE (cannot listen), those of Store::Load, Cluster::Load and AuthoritySet.
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
  const std::string& api_address() const { return config_.listen.api; }
  const std::string& https_address() const { return config_.listen.https; }
  const std::string& enrollment_address() const { return enrollment_address_; }
  std::string ca_pin() const { return authorities_->pin(); }
  SessionService& sessions() { return *session_service_; }
  GatewayCalls& gateway_calls() { return gateway_calls_; }
  ManagerMetrics& metrics() { return *metrics_; }

 private:
  Server(const ManagerConfig& config, const SessionOptions& sessions);
  absl::Status OpenState();
  // Of what the manager does itself; waits until it is durable.
  void AuditOwn(const std::string& act, const std::string& after);
  // So that the journal, which may be kept elsewhere, has the chain's end now and then.
  void LogAuditHead();
  void RetentionDone(const absl::StatusOr<Retention::Done>& done);
  absl::Status MakeServices();
  absl::Status LoadPrincipals();
  using Services = std::vector<std::pair<const char*, grpc::Service*>>;
  Services AdministrationServices() const;
  absl::Status Listen();
  absl::Status ListenLocally(const Services& services);
  absl::Status OpenHttps(const WatchedFiles& files);
  // Those in the manager's own certificate.
  absl::StatusOr<std::vector<std::string>> OwnAddresses() const;
  // On the engine's thread.
  absl::Status AdmitPeer(const PeerNode& peer);
  // What sessions say and are told of authorities.
  agent::v1::Trust TrustOf(const PeerNode& peer) const;
  void NodeTrusts(const PeerNode& peer, std::vector<std::string> pins);
  void AuthoritiesChanged();
  void MakeTrust();
  void MakeMetrics();
  std::map<std::string, absl::Time> OwnCertificates() const;
  absl::Status StartListener(Listener listener, const std::string& address,
                             std::shared_ptr<grpc::ServerCredentials> credentials,
                             const Services& services);

  const ManagerConfig config_;
  SessionOptions session_options_;
  // As the nodes are told.
  std::string agents_address_;
  std::string enrollment_address_;

  // In order of construction; what is below uses what is above.
  std::unique_ptr<StateLock> lock_;
  std::unique_ptr<AuthoritySet> authorities_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Cluster> cluster_;
  SeededRandom random_;
  std::unique_ptr<Engine> engine_;
  absl::Duration head_logged_;  // when; of the retention's thread
  bool audited_ = false;        // that it has started, and not yet that it stops
  std::unique_ptr<Retention> retention_;
  std::unique_ptr<ManagerMetrics> metrics_;
  std::unique_ptr<Workers> metrics_workers_;
  std::unique_ptr<Workers> workers_;
  std::unique_ptr<Workers> enrollment_workers_;
  std::unique_ptr<RateLimiter> limiter_;
  SocketPeers socket_peers_;
  std::unique_ptr<KeyRing> keys_;
  AdministratorRing administrators_;
  GatewayCalls gateway_calls_;
  std::unique_ptr<CallAdmission> admission_;
  std::unique_ptr<OpenStreams> streams_;
  std::unique_ptr<EventHub> events_;
  std::unique_ptr<EngineTokenStore> tokens_;
  std::unique_ptr<EngineCertificateStore> certificates_;
  std::unique_ptr<Enroller> enroller_;
  std::unique_ptr<Renewer> renewer_;
  std::unique_ptr<SessionService> session_service_;
  std::unique_ptr<EnrollmentService> enrollment_service_;
  std::unique_ptr<CommandService> command_service_;
  std::unique_ptr<NodeService> node_service_;
  std::unique_ptr<AccountService> account_service_;
  std::unique_ptr<EventService> event_service_;
  std::unique_ptr<AuditService> audit_service_;
  std::unique_ptr<KeyService> key_service_;
  std::unique_ptr<AdministratorService> administrator_service_;
  std::unique_ptr<HealthService> health_service_;
  std::unique_ptr<AlarmService> alarm_service_;
  std::unique_ptr<AuthorityService> authority_service_;
  std::unique_ptr<ManagerService> manager_service_;
  std::unique_ptr<ReflectionService> reflection_service_;
  std::unique_ptr<Outbox> outbox_;
  std::unique_ptr<HttpsPort> https_;  // set before the watch below begins
  Mutex watch_mutex_;
  std::unique_ptr<AuthorityWatch> authority_watch_ ABSL_GUARDED_BY(watch_mutex_);
  // Of the listeners that have a port. Stopped before those, and gone after them.
  std::vector<std::unique_ptr<TcpAcceptor>> acceptors_;
  TcpAcceptor* api_acceptor_ = nullptr;  // the API's; set before it takes connections
  std::vector<std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor>> entries_;
  std::vector<std::unique_ptr<grpc::Server>> listeners_;
  std::unique_ptr<SocketAcceptor> acceptor_;
};

// "ADDRESS:PORT" as others reach it: a wildcard address is replaced by `quorum_address`.
// Errors: INVALID_ARGUMENT (INVALID_ARGUMENT).
absl::StatusOr<std::string> ReachableAddress(const std::string& listen,
                                             const std::string& quorum_address);

}  // namespace hostq::manager
