#include "manager/server.h"

#include <sys/utsname.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <thread>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/base/error.h"
#include "common/crypto/certificate.h"
#include "common/crypto/secret_file.h"
#include "common/log/log.h"
#include "common/rpc/credentials.h"
#include "common/rpc/settings.h"
#include "grpcpp/server_posix.h"
#include "manager/admin_socket.h"
#include "manager/api/account_service.h"
#include "manager/api/administrator_service.h"
#include "manager/api/alarm_service.h"
#include "manager/api/audit_service.h"
#include "manager/api/authority_service.h"
#include "manager/api/call_guard.h"
#include "manager/api/call_meter.h"
#include "manager/api/command_service.h"
#include "manager/api/engine_token_store.h"
#include "manager/api/enrollment_service.h"
#include "manager/api/event_service.h"
#include "manager/api/health_service.h"
#include "manager/api/key_service.h"
#include "manager/api/manager_service.h"
#include "manager/api/node_service.h"
#include "manager/api/reflection_service.h"
#include "manager/authority_watch.h"
#include "manager/event_log.h"
#include "manager/listener_limits.h"
#include "manager/outbox.h"
#include "manager/store/sqlite/sqlite_store.h"
#include "manager/web_metrics.h"

namespace hostq::manager {
namespace {

// For what blocks on the store: few, because the store has one reader.
constexpr int kWorkers = 2;
constexpr size_t kMaxWaitingJobs = 10'000;
// Enrolment waits for the engine; a flood of it must not take the others' workers.
constexpr size_t kMaxWaitingEnrolments = 100;
// Of metrics: for some Prometheus servers, and not for a flood.
constexpr size_t kMaxWaitingPages = 8;

struct HostPort {
  std::string host;  // without brackets
  uint16_t port = 0;
};

absl::StatusOr<HostPort> SplitHostPort(const std::string& text) {
  const size_t colon = text.rfind(':');
  HostPort out;
  int port = 0;
  if (colon != std::string::npos && absl::SimpleAtoi(text.substr(colon + 1), &port) && port > 0 &&
      port < 65536) {
    absl::string_view host = absl::string_view(text).substr(0, colon);
    if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
    out.host = std::string(host);
    out.port = static_cast<uint16_t>(port);
    return out;
  }
  return MakeError(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument,
                   absl::StrCat("not ADDRESS:PORT: ", text));
}

// As nodes tell theirs.
std::string OsRelease() {
  std::ifstream file("/etc/os-release");
  std::string id, version;
  for (std::string line; std::getline(file, line);) {
    absl::string_view value = line;
    std::string* const out = absl::ConsumePrefix(&value, "ID=")           ? &id
                             : absl::ConsumePrefix(&value, "VERSION_ID=") ? &version
                                                                          : nullptr;
    if (out == nullptr) continue;
    if (absl::ConsumePrefix(&value, "\"")) absl::ConsumeSuffix(&value, "\"");
    *out = std::string(value);
  }
  return id.empty() ? "" : absl::StrCat(id, " ", version);
}

std::string Architecture() {
  utsname name = {};
  return uname(&name) == 0 ? name.machine : "";
}

bool IsWildcard(const std::string& host) { return host == "0.0.0.0" || host == "::"; }

std::string JoinHostPort(const std::string& host, uint16_t port) {
  return host.find(':') == std::string::npos ? absl::StrCat(host, ":", port)
                                             : absl::StrCat("[", host, "]:", port);
}

constexpr absl::Duration kHeadInterval = absl::Hours(1);

void LogUnaudited(const AuditEntry& entry) {
  LogError("not in the audit, because the database cannot be written",
           {{"actor", entry.actor},
            {"source", entry.source},
            {"act", entry.act},
            {"target", entry.target},
            {"request_id", entry.request_id},
            {"outcome", entry.outcome == Reason::kNone ? "" : NameOf(entry.outcome)}});
}

}  // namespace

absl::StatusOr<std::string> ReachableAddress(const std::string& listen,
                                             const std::string& quorum_address) {
  HOSTQ_ASSIGN_OR_RETURN(const HostPort address, SplitHostPort(listen));
  return JoinHostPort(IsWildcard(address.host) ? quorum_address : address.host, address.port);
}

Server::Server(const ManagerConfig& config, const SessionOptions& sessions)
    : config_(config), session_options_(sessions), random_(RandomSeed()) {
  session_options_.cluster = config_.cluster.name;
  session_options_.heartbeat_interval = config_.limits.heartbeat_interval;
}

Server::~Server() { Stop(absl::Seconds(2)); }

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ManagerConfig& config,
                                                      const SessionOptions& sessions) {
  RequireTls13();
  std::unique_ptr<Server> server(new Server(config, sessions));
  HOSTQ_RETURN_IF_ERROR(server->OpenState());
  HOSTQ_RETURN_IF_ERROR(server->MakeServices());
  HOSTQ_RETURN_IF_ERROR(server->Listen());
  LogInfo("manager started", {{"version", HOSTQ_VERSION},
                              {"cluster", config.cluster.name},
                              {"agents", config.listen.agents},
                              {"enrollment", config.listen.enrollment},
                              {"api", config.listen.api},
                              {"https", config.listen.https},
                              {"socket", config.listen.admin_socket},
                              {"state", config.state_dir},
                              {"pin", server->ca_pin()}});
  return server;
}

absl::Status Server::OpenState() {
  const std::string& dir = config_.state_dir;
  const std::string& quorum = config_.cluster.quorum_address;
  HOSTQ_ASSIGN_OR_RETURN(agents_address_, ReachableAddress(config_.listen.agents, quorum));
  HOSTQ_ASSIGN_OR_RETURN(enrollment_address_, ReachableAddress(config_.listen.enrollment, quorum));
  HOSTQ_ASSIGN_OR_RETURN(const HostPort agents, SplitHostPort(agents_address_));
  if (!AuthoritySet::Exists(dir)) {
    // Says what is wanted, and takes no lock in a directory that is none of ours.
    HOSTQ_RETURN_IF_ERROR(CertificateAuthority::Open(dir, SystemClock().Now()).status());
  }
  HOSTQ_ASSIGN_OR_RETURN(lock_, StateLock::Take(dir));
  HOSTQ_ASSIGN_OR_RETURN(authorities_,
                         AuthoritySet::Open(dir, config_.cluster.name, SystemClock().Now()));
  const std::string database = DatabasePath(dir);
  if (!DatabaseExists(dir)) {
    // Opening it would make an empty one, and a cluster that has lost everything would seem to
    // work.
    return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kStoreUnavailable,
                     absl::StrCat("there is no database ", database,
                                  " although there is an authority: restore it from the backup"));
  }
  HOSTQ_ASSIGN_OR_RETURN(store_, SqliteStore::Open(database));
  HOSTQ_ASSIGN_OR_RETURN(Snapshot snapshot, store_->Load());
  HOSTQ_ASSIGN_OR_RETURN(
      cluster_, Cluster::Load({config_.cluster.name, quorum, agents.port, config_.cluster.uid_min,
                               config_.cluster.uid_max, agents_address_,
                               // A thousand changes a second, for as long as it runs.
                               static_cast<uint64_t>(absl::ToUnixMillis(SystemClock().Now())),
                               OsRelease(), Architecture(), !authorities_->built_in()},
                              snapshot.resources));
  HOSTQ_RETURN_IF_ERROR(LoadPrincipals());
  Engine::Options options;
  options.max_live_tasks = static_cast<size_t>(config_.limits.max_live_tasks);
  options.unaudited = LogUnaudited;
  engine_ = std::make_unique<Engine>(*store_, *cluster_, SystemClock(), random_, options);
  const uint64_t term = snapshot.term + 1;
  LogInfo("state loaded", {{"nodes", cluster_->nodes().size()},
                           {"accounts", cluster_->accounts().size()},
                           {"unfinished", snapshot.live.size()},
                           {"term", snapshot.term + 1}});
  HOSTQ_RETURN_IF_ERROR(
      engine_->Start(std::move(snapshot), cluster_->NodeStates(), cluster_->Pauses()));
  engine_->StartThread();
  AuditOwn("manager.start",
           absl::StrCat("{\"version\":\"", HOSTQ_VERSION, "\",\"term\":", term, "}"));
  audited_ = true;
  LogAuditHead();
  head_logged_ = SystemClock().Monotonic();
  Retention::Options retention;
  retention.age = absl::Hours(24 * config_.limits.retention_days);
  retention.audit_age = absl::Hours(24 * config_.limits.audit_days);
  retention_ = std::make_unique<Retention>(
      *store_, SystemClock(), retention,
      [this](const absl::StatusOr<Retention::Done>& done) { RetentionDone(done); });
  return absl::OkStatus();
}

void Server::AuditOwn(const std::string& act, const std::string& after) {
  Origin origin("manager");
  origin.act = act;
  const absl::Status status = ChangeAndWait(
      *engine_,
      [after](const Now&) {
        ChangeSet changes;
        changes.after = after;
        return changes;
      },
      std::move(origin));
  if (!status.ok()) LogWarning("not in the audit", {{"act", act}, {"status", status}});
}

void Server::LogAuditHead() {
  const absl::StatusOr<AuditChain> chain = store_->GetAuditChain();
  if (!chain.ok()) return LogWarning("the audit cannot be read", {{"status", chain.status()}});
  LogInfo("audit head",
          {{"sequence", chain->head.sequence}, {"hash", absl::BytesToHexString(chain->head.hash)}});
}

void Server::RetentionDone(const absl::StatusOr<Retention::Done>& done) {
  const bool broken = ReasonOf(done.status()) == Reason::kAuditBroken;
  if (broken) {
    LogError("the audit is not what was written", {{"status", done.status()}});
  } else if (!done.ok()) {
    LogWarning("old work cannot be moved or deleted", {{"status", done.status()}});
  } else if (done->commands > 0 || done->events > 0) {
    LogInfo("moved to the archive", {{"commands", done->commands}, {"events", done->events}});
  }
  const absl::Duration now = SystemClock().Monotonic();
  if (now - head_logged_ < kHeadInterval) return;
  head_logged_ = now;
  LogAuditHead();
}

absl::Status Server::LoadPrincipals() {
  keys_ = std::make_unique<KeyRing>(
      KeyRing::Options{static_cast<double>(config_.limits.key_requests_per_second),
                       static_cast<int>(config_.limits.key_unfinished_commands)});
  for (const auto& [id, row] : cluster_->keys()) {
    HOSTQ_ASSIGN_OR_RETURN(ApiKey key, FromRow(row));
    keys_->Put(std::move(key));
  }
  for (const auto& [name, row] : cluster_->administrators()) administrators_.Put(FromRow(row));
  administrators_.Trust(authorities_->trusted_pins());
  return absl::OkStatus();
}

absl::Status Server::AdmitPeer(const PeerNode& peer) {
  ShownCertificate shown = {peer.name,       peer.incarnation, peer.serial,
                            peer.not_before, peer.not_after,   ""};
  const std::string trusted = authorities_->trusted_pem();
  if (auto signer = SignerOf(peer.certificate_pem, trusted); signer.ok()) {
    shown.authority = *std::move(signer);
  }
  // A listener follows the authorities within a second or two.
  if (shown.authority.empty() && authorities_->built_in()) {
    return MakeError(absl::StatusCode::kUnauthenticated, Reason::kUnauthenticated,
                     absl::StrCat("the certificate of node ", peer.name,
                                  " is of no authority that this cluster trusts"));
  }
  return certificates_->Used(shown, peer.address);
}

agent::v1::Trust Server::TrustOf(const PeerNode& peer) const {
  agent::v1::Trust trust;
  trust.set_ca_pem(authorities_->trusted_pem());
  const auto issuing = authorities_->issuing();
  if (issuing == nullptr) return trust;
  trust.set_enrollment_address(enrollment_address_);
  const auto signer = SignerOf(peer.certificate_pem, trust.ca_pem());
  trust.set_renew(signer.ok() && *signer != issuing->pin());
  return trust;
}

void Server::NodeTrusts(const PeerNode& peer, std::vector<std::string> pins) {
  engine_->Change(
      [this, name = peer.name, incarnation = peer.incarnation, pins = std::move(pins)](const Now&)
          -> absl::StatusOr<ChangeSet> { return cluster_->NodeTrusts(name, incarnation, pins); },
      "manager", [](const absl::Status&) {});
}

void Server::AuthoritiesChanged() {
  session_service_->TellTrust();
  if (https_ != nullptr) https_->FollowFiles();
  if (!authorities_->built_in()) return;
  const std::string trusted = authorities_->trusted_pem();
  administrators_.Trust(authorities_->trusted_pins());
  streams_->Look();
  session_service_->EndSessionsWhere(
      [&](const PeerNode& peer) {
        const auto signer = SignerOf(peer.certificate_pem, trusted);
        return !signer.ok() || signer->empty();
      },
      MakeError(absl::StatusCode::kUnauthenticated, Reason::kUnauthenticated,
                "the certificate's authority is trusted no more"));
}

absl::Status Server::MakeServices() {
  workers_ = std::make_unique<Workers>("api", kWorkers, kMaxWaitingJobs);
  enrollment_workers_ = std::make_unique<Workers>("enrollment", 1, kMaxWaitingEnrolments);
  events_ = std::make_unique<EventHub>(*engine_, *store_, *workers_, LogEvent);
  tokens_ = std::make_unique<EngineTokenStore>(*engine_, *cluster_);
  MakeTrust();
  MakeMetrics();
  session_service_ = std::make_unique<SessionService>(
      *engine_, SystemClock(), [this](const PeerNode& peer) { return AdmitPeer(peer); },
      session_options_);
  const auto joined = [this](const NodeIdentity& node) {
    session_service_->EndSessions(
        node.name,
        MakeError(absl::StatusCode::kPermissionDenied, Reason::kNotAuthorized,
                  absl::StrCat("node ", node.name, " has joined anew")),
        [&](const PeerNode& peer) { return peer.incarnation == node.incarnation; });
  };
  enrollment_service_ =
      std::make_unique<EnrollmentService>(*enroller_, *renewer_, *engine_, *cluster_,
                                          *enrollment_workers_, enrollment_address_, joined);
  const auto rate = static_cast<double>(config_.limits.requests_per_second);
  limiter_ = std::make_unique<RateLimiter>(RateLimiter::Options{rate, 2 * rate});
  const auto known = [this](const std::string& peer, bool by_gateway) {
    if (by_gateway) return https_->Know(PeerAddressAndPort(peer));
    if (api_acceptor_ != nullptr) api_acceptor_->Know(PeerAddressAndPort(peer));
  };
  admission_ = std::make_unique<CallAdmission>(
      CallAdmission::Parts{*engine_, *cluster_, SystemClock(), *keys_, administrators_,
                           socket_peers_, *limiter_, gateway_calls_, known});
  streams_ = std::make_unique<OpenStreams>();
  const Backend backend{*engine_,  *cluster_,   *store_,  SystemClock(),
                        *workers_, *admission_, *streams_};
  command_service_ = std::make_unique<CommandService>(backend);
  NodeService::Options nodes;
  nodes.enrollment_address = enrollment_address_;
  nodes.agents_address = agents_address_;
  nodes.ca_pin = [this] { return authorities_->pin(); };
  nodes.outside_certificates = !authorities_->built_in();
  nodes.end_sessions = [this](const std::string& node, const absl::Status& why) {
    session_service_->EndSessions(node, why);
  };
  node_service_ = std::make_unique<NodeService>(backend, std::move(nodes));
  alarm_service_ = std::make_unique<AlarmService>(backend);
  AuthorityService::Hooks hooks;
  hooks.changed = [this] {
    const MutexLock lock(watch_mutex_);
    if (authority_watch_ != nullptr) authority_watch_->Poke();
  };
  hooks.administrators = [this](const std::string& pin) {
    return cluster_->AdministratorsNotSignedBy(pin, SystemClock().Now());
  };
  authority_service_ = std::make_unique<AuthorityService>(backend, *authorities_, std::move(hooks));
  account_service_ = std::make_unique<AccountService>(backend);
  event_service_ = std::make_unique<EventService>(backend, *events_);
  audit_service_ = std::make_unique<AuditService>(backend);
  key_service_ = std::make_unique<KeyService>(backend, *keys_, *streams_);
  administrator_service_ =
      std::make_unique<AdministratorService>(backend, *authorities_, administrators_, *streams_);
  manager_service_ = std::make_unique<ManagerService>(
      backend, *authorities_, ThisMachine(),
      ManagerService::Options{config_.cluster.name, config_.state_dir,
                              DatabasePath(config_.state_dir)});
  health_service_ = std::make_unique<HealthService>(SystemClock());
  HOSTQ_ASSIGN_OR_RETURN(outbox_, Outbox::Start(config_, backend, *events_));
  std::vector<std::string> shown;
  for (const auto& [name, service] : AdministrationServices()) shown.emplace_back(name);
  reflection_service_ = std::make_unique<ReflectionService>(backend, shown);
  return absl::OkStatus();
}

// Joining and renewing.
void Server::MakeTrust() {
  certificates_ = std::make_unique<EngineCertificateStore>(*engine_, *cluster_);
  Enroller::Options enroller;
  enroller.manager_address = agents_address_;
  enroller.certificate_life = config_.trust.node_certificate_life;
  enroller_ = std::make_unique<Enroller>(*authorities_, *tokens_, SystemClock(), enroller);
  Renewer::Options renewer;
  renewer.certificate_life = config_.trust.node_certificate_life;
  renewer.grace = config_.trust.renewal_grace;
  renewer_ = std::make_unique<Renewer>(*authorities_, *certificates_, SystemClock(), renewer);
  session_options_.trust = [this](const PeerNode& peer) { return TrustOf(peer); };
  session_options_.trusts = [this](const PeerNode& peer, std::vector<std::string> pins) {
    NodeTrusts(peer, std::move(pins));
  };
}

void Server::MakeMetrics() {
  std::vector<std::string> methods;
  for (const MethodRule& rule : MethodRules()) methods.emplace_back(rule.method);
  metrics_ = std::make_unique<ManagerMetrics>(ManagerMetrics::Sources{
      *engine_, *cluster_, *store_, SystemClock(), config_.state_dir, std::move(methods),
      RoutePaths(), [this] { return OwnCertificates(); }, nullptr});
  metrics_workers_ = std::make_unique<Workers>("metrics", 1, kMaxWaitingPages);
  session_options_.counted = [this](const PeerNode& peer, const agent::v1::AgentMetrics& metrics) {
    metrics_->agents().Put(peer.name, metrics);
  };
}

std::map<std::string, absl::Time> Server::OwnCertificates() const {
  std::map<std::string, absl::Time> ends;
  const auto add = [&](const char* name, absl::string_view pem) {
    if (const auto info = ParseCertificate(pem); info.ok()) ends[name] = info->not_after;
  };
  // The key is in the same file.
  if (const auto server = ReadSecretFile(authorities_->server_path()); server.ok()) {
    add("server", server->Reveal());
  }
  add("authority", authorities_->trusted_pem());  // the issuing one is the first
  return ends;
}

absl::StatusOr<std::vector<std::string>> Server::OwnAddresses() const {
  std::vector<std::string> addresses = {config_.cluster.quorum_address};
  for (const std::string& text : {config_.listen.agents, config_.listen.enrollment,
                                  config_.listen.api, config_.listen.https}) {
    if (text.empty()) continue;
    HOSTQ_ASSIGN_OR_RETURN(const HostPort address, SplitHostPort(text));
    if (!IsWildcard(address.host)) addresses.push_back(address.host);
  }
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  return addresses;
}

absl::Status Server::Listen() {
  const std::string& socket = config_.listen.admin_socket;
  HOSTQ_ASSIGN_OR_RETURN(std::vector<std::string> addresses, OwnAddresses());
  HOSTQ_RETURN_IF_ERROR(authorities_->Maintain(addresses, SystemClock().Now()).status());
  const WatchedFiles files = {authorities_->server_path(), authorities_->trusted_path()};
  HOSTQ_RETURN_IF_ERROR(PrepareAdminSocket(socket, config_.listen.admin_group));
  if (!config_.listen.https.empty()) HOSTQ_RETURN_IF_ERROR(OpenHttps(files));
  {
    const MutexLock lock(watch_mutex_);
    authority_watch_ = std::make_unique<AuthorityWatch>(
        *authorities_, SystemClock(), std::move(addresses), [this] { AuthoritiesChanged(); });
  }
  HOSTQ_RETURN_IF_ERROR(
      StartListener(Listener::kAgents, config_.listen.agents,
                    WatchedServerCredentials(files, ClientCertificate::kRequired),
                    {{agent::v1::SessionService::service_full_name(), session_service_.get()}}));
  HOSTQ_RETURN_IF_ERROR(StartListener(
      Listener::kEnrollment, config_.listen.enrollment,
      WatchedServerCredentials(files, ClientCertificate::kNone),
      {{agent::v1::EnrollmentService::service_full_name(), enrollment_service_.get()}}));
  Services services = AdministrationServices();
  // Where gRPC is spoken.
  services.emplace_back(::grpc::reflection::v1alpha::ServerReflection::service_full_name(),
                        reflection_service_.get());
  if (!config_.listen.api.empty()) {
    HOSTQ_RETURN_IF_ERROR(
        StartListener(Listener::kAdministration, config_.listen.api,
                      WatchedServerCredentials(files, ClientCertificate::kOptional), services));
  }
  HOSTQ_RETURN_IF_ERROR(ListenLocally(services));
  if (https_ != nullptr) https_->Start();
  return absl::OkStatus();
}

Server::Services Server::AdministrationServices() const {
  return {{v1::CommandService::service_full_name(), command_service_.get()},
          {v1::NodeService::service_full_name(), node_service_.get()},
          {v1::AccountService::service_full_name(), account_service_.get()},
          {v1::EventService::service_full_name(), event_service_.get()},
          {v1::KeyService::service_full_name(), key_service_.get()},
          {v1::AdministratorService::service_full_name(), administrator_service_.get()},
          {v1::AlarmService::service_full_name(), alarm_service_.get()},
          {v1::AuditService::service_full_name(), audit_service_.get()},
          {v1::AuthorityService::service_full_name(), authority_service_.get()},
          {v1::ManagerService::service_full_name(), manager_service_.get()},
          {v1::WebhookService::service_full_name(), &outbox_->service()}};
}

absl::Status Server::OpenHttps(const WatchedFiles& files) {
  HOSTQ_ASSIGN_OR_RETURN(const HostPort at, SplitHostPort(config_.listen.https));
  HOSTQ_ASSIGN_OR_RETURN(
      https_, HttpsPort::Open({at.host,
                               at.port,
                               files,
                               LimitsOfHttps(config_.limits),
                               AdministrationServices(),
                               gateway_calls_,
                               *admission_,
                               SystemClock(),
                               [this] { return failed(); },
                               [this](const Caller& caller) {
                                 engine_->Audit(caller.On("session"), absl::OkStatus());
                               },
                               {MetricsPage(*metrics_, *admission_, *engine_, *metrics_workers_)},
                               *metrics_}));
  return absl::OkStatus();
}

absl::Status Server::ListenLocally(const Services& services) {
  const std::string& socket = config_.listen.admin_socket;
  HOSTQ_RETURN_IF_ERROR(StartListener(Listener::kAdministration, "", nullptr, services));
  grpc::Server* local = listeners_.back().get();
  const RestrictedUmask umask;
  HOSTQ_ASSIGN_OR_RETURN(acceptor_, SocketAcceptor::Listen(socket, socket_peers_, [local](int fd) {
                           grpc::AddInsecureChannelFromFd(local, fd);
                         }));
  return OpenAdminSocket(socket, config_.listen.admin_group);
}

absl::Status Server::StartListener(Listener listener, const std::string& address,
                                   std::shared_ptr<grpc::ServerCredentials> credentials,
                                   const Services& services) {
  grpc::ServerBuilder builder;
  const bool remote = !address.empty();
  const ListenerLimits limits = LimitsOf(listener, remote, config_.limits);
  ConfigureServer(builder, limits.server);
  std::unique_ptr<TcpAcceptor> acceptor;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> entry;
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> lookers;
  lookers.push_back(
      std::make_unique<CallMeter>(metrics_->calls(), metrics_->refusals(), SystemClock()));
  // Without an address: connections are handed to it (ListenLocally).
  CallGuard::End end = SocketAcceptor::EndConnection;
  if (remote) {
    HOSTQ_ASSIGN_OR_RETURN(const HostPort at, SplitHostPort(address));
    HOSTQ_ASSIGN_OR_RETURN(acceptor,
                           TcpAcceptor::Listen(at.host, at.port, limits.acceptor, SystemClock()));
    end = [to = acceptor.get()](const std::string& peer) { to->EndConnection(peer); };
    entry = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
        std::move(credentials));
  }
  lookers.push_back(std::make_unique<CallGuard>(limits.calls, SystemClock(), std::move(end)));
  builder.experimental().SetInterceptorCreators(std::move(lookers));
  for (const auto& [name, service] : services) {
    HOSTQ_CHECK(MayServe(listener, name));
    builder.RegisterService(service);
  }
  if (listener == Listener::kAdministration && remote) {
    HOSTQ_CHECK(MayServe(Listener::kHealth, "grpc.health.v1.Health"));
    builder.RegisterService(health_service_.get());
  }
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    return MakeError(
        absl::StatusCode::kUnavailable, Reason::kInternal,
        absl::StrCat("cannot listen on ", address, ": is the address this machine's, and free?"));
  }
  listeners_.push_back(std::move(server));
  if (acceptor == nullptr) return absl::OkStatus();
  if (listener == Listener::kAdministration) api_acceptor_ = acceptor.get();
  acceptor->Start([to = entry.get()](int fd) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
    connection.fd = fd;
    to->HandleNewConnection(&connection);
  });
  entries_.push_back(std::move(entry));
  acceptors_.push_back(std::move(acceptor));
  return absl::OkStatus();
}

void Server::Stop(absl::Duration deadline) {
  const auto until = std::chrono::system_clock::now() + absl::ToChronoMicroseconds(deadline);
  for (const auto& acceptor : acceptors_) acceptor->Stop();
  if (https_ != nullptr) https_->StopAccepting();
  // Streams would not end by themselves; calls do, as long as the engine answers.
  acceptor_.reset();
  if (events_ != nullptr) events_->Stop();
  std::unique_ptr<AuthorityWatch> watch;  // its thread ends without the lock
  {
    const MutexLock lock(watch_mutex_);
    watch = std::move(authority_watch_);
  }
  watch.reset();
  if (session_service_ != nullptr) session_service_->Stop(deadline / 2);
  std::vector<std::thread> stopping;
  for (const auto& listener : listeners_) {
    stopping.emplace_back([&] { listener->Shutdown(until); });
  }
  if (https_ != nullptr) https_->Stop(until);
  for (std::thread& thread : stopping) thread.join();
  listeners_.clear();
  entries_.clear();
  acceptors_.clear();
  if (session_service_ != nullptr) session_service_->Stop(absl::ZeroDuration());
  if (outbox_ != nullptr) outbox_->Stop();
  if (workers_ != nullptr) workers_->Stop();
  if (enrollment_workers_ != nullptr) enrollment_workers_->Stop();
  if (metrics_workers_ != nullptr) metrics_workers_->Stop();
  retention_.reset();
  if (std::exchange(audited_, false)) {
    engine_->FlushRefusals();
    AuditOwn("manager.stop", absl::StrCat("{\"version\":\"", HOSTQ_VERSION, "\"}"));
    LogAuditHead();
  }
  if (engine_ != nullptr) engine_->Stop();
}

}  // namespace hostq::manager
