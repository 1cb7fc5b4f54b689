#include "manager/server.h"

#include <sys/utsname.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/base/error.h"
#include "common/log/log.h"
#include "common/rpc/credentials.h"
#include "common/rpc/settings.h"
#include "manager/admin_socket.h"
#include "manager/api/account_service.h"
#include "manager/api/command_service.h"
#include "manager/api/engine_token_store.h"
#include "manager/api/enrollment_service.h"
#include "manager/api/event_service.h"
#include "manager/api/node_service.h"
#include "manager/event_log.h"
#include "manager/store/sqlite/sqlite_store.h"

namespace hostq::manager {
namespace {

// For what blocks on the store: few, because the store has one reader.
constexpr int kWorkers = 2;
constexpr size_t kMaxWaitingJobs = 10'000;
// Enrolment waits for the engine; a flood of it must not take the others' workers.
constexpr size_t kMaxWaitingEnrolments = 100;

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

std::string Machine() {
  utsname name = {};
  return uname(&name) == 0 ? name.machine : "";
}

bool IsWildcard(const std::string& host) { return host == "0.0.0.0" || host == "::"; }

std::string JoinHostPort(const std::string& host, uint16_t port) {
  return host.find(':') == std::string::npos ? absl::StrCat(host, ":", port)
                                             : absl::StrCat("[", host, "]:", port);
}

void LogArchived(const absl::StatusOr<Store::Archived>& moved) {
  if (!moved.ok()) {
    LogWarning("finished work cannot be moved to the archive", {{"status", moved.status()}});
  } else if (moved->commands > 0 || moved->events > 0) {
    LogInfo("moved to the archive", {{"commands", moved->commands}, {"events", moved->events}});
  }
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
  server->MakeServices();
  HOSTQ_RETURN_IF_ERROR(server->Listen());
  LogInfo("manager started", {{"version", HOSTQ_VERSION},
                              {"cluster", config.cluster.name},
                              {"agents", config.listen.agents},
                              {"enrollment", config.listen.enrollment},
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
  HOSTQ_ASSIGN_OR_RETURN(ca_, CertificateAuthority::Open(dir, SystemClock().Now()));
  HOSTQ_ASSIGN_OR_RETURN(lock_, StateLock::Take(dir));
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
                               OsRelease(), Machine()},
                              snapshot.resources));
  Engine::Options options;
  options.max_live_tasks = static_cast<size_t>(config_.limits.max_live_tasks);
  engine_ = std::make_unique<Engine>(*store_, *cluster_, SystemClock(), random_, options);
  LogInfo("state loaded", {{"nodes", cluster_->nodes().size()},
                           {"accounts", cluster_->accounts().size()},
                           {"unfinished", snapshot.live.size()},
                           {"term", snapshot.term + 1}});
  HOSTQ_RETURN_IF_ERROR(
      engine_->Start(std::move(snapshot), cluster_->NodeStates(), cluster_->Pauses()));
  engine_->StartThread();
  Retention::Options retention;
  retention.age = absl::Hours(24 * config_.limits.retention_days);
  retention_ = std::make_unique<Retention>(*store_, SystemClock(), retention, LogArchived);
  return absl::OkStatus();
}

absl::Status Server::AdmitPeer(const PeerNode& peer) const {
  const storage::v1::Node* node = cluster_->FindNode(peer.name);
  if (node != nullptr && node->incarnation() == peer.incarnation) return absl::OkStatus();
  return MakeError(absl::StatusCode::kPermissionDenied, Reason::kNotAuthorized,
                   node == nullptr
                       ? absl::StrCat("node ", peer.name, " is not of this cluster")
                       : absl::StrCat("the certificate is of an earlier incarnation of node ",
                                      peer.name, "; it has joined anew since"));
}

void Server::MakeServices() {
  workers_ = std::make_unique<Workers>("api", kWorkers, kMaxWaitingJobs);
  enrollment_workers_ = std::make_unique<Workers>("enrollment", 1, kMaxWaitingEnrolments);
  events_ = std::make_unique<EventHub>(*engine_, *store_, *workers_, LogEvent);
  tokens_ = std::make_unique<EngineTokenStore>(*engine_, *cluster_);
  Enroller::Options enroller;
  enroller.manager_address = agents_address_;
  enroller_ = std::make_unique<Enroller>(*ca_, *tokens_, SystemClock(), enroller);
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
  enrollment_service_ = std::make_unique<EnrollmentService>(*enroller_, *engine_, *cluster_,
                                                            *enrollment_workers_, joined);
  const auto rate = static_cast<double>(config_.limits.requests_per_second);
  limiter_ = std::make_unique<RateLimiter>(RateLimiter::Options{rate, 2 * rate});
  const Backend backend{*engine_, *cluster_, *store_, SystemClock(), *workers_, *limiter_};
  command_service_ = std::make_unique<CommandService>(backend);
  node_service_ =
      std::make_unique<NodeService>(backend, NodeService::Options{enrollment_address_, ca_->pin()});
  account_service_ = std::make_unique<AccountService>(backend);
  event_service_ = std::make_unique<EventService>(backend, *events_);
}

absl::StatusOr<TlsIdentity> Server::Identity() const {
  std::vector<std::string> addresses = {config_.cluster.quorum_address};
  for (const std::string& text : {config_.listen.agents, config_.listen.enrollment}) {
    HOSTQ_ASSIGN_OR_RETURN(const HostPort address, SplitHostPort(text));
    if (!IsWildcard(address.host)) addresses.push_back(address.host);
  }
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  return ca_->ServerIdentity(addresses, SystemClock().Now());
}

absl::Status Server::Listen() {
  const std::string& socket = config_.listen.admin_socket;
  const std::string& group = config_.listen.admin_group;
  HOSTQ_ASSIGN_OR_RETURN(const TlsIdentity identity, Identity());
  HOSTQ_RETURN_IF_ERROR(PrepareAdminSocket(socket, group));
  HOSTQ_RETURN_IF_ERROR(StartListener(
      Listener::kAgents, config_.listen.agents, MutualTlsServerCredentials(identity, ca_->ca_pem()),
      {{agent::v1::SessionService::service_full_name(), session_service_.get()}}));
  HOSTQ_RETURN_IF_ERROR(StartListener(
      Listener::kEnrollment, config_.listen.enrollment, TlsServerCredentials(identity),
      {{agent::v1::EnrollmentService::service_full_name(), enrollment_service_.get()}}));
  const RestrictedUmask umask;
  HOSTQ_RETURN_IF_ERROR(StartListener(
      Listener::kAdministration, absl::StrCat("unix:", socket), grpc::InsecureServerCredentials(),
      {{v1::CommandService::service_full_name(), command_service_.get()},
       {v1::NodeService::service_full_name(), node_service_.get()},
       {v1::AccountService::service_full_name(), account_service_.get()},
       {v1::EventService::service_full_name(), event_service_.get()}}));
  return OpenAdminSocket(socket, group);
}

absl::Status Server::StartListener(
    Listener listener, const std::string& address,
    std::shared_ptr<grpc::ServerCredentials> credentials,
    const std::vector<std::pair<const char*, grpc::Service*>>& services) {
  grpc::ServerBuilder builder;
  ConfigureServer(builder);
  builder.AddListeningPort(address, std::move(credentials));
  for (const auto& [name, service] : services) {
    HOSTQ_CHECK(MayServe(listener, name));
    builder.RegisterService(service);
  }
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    return MakeError(
        absl::StatusCode::kUnavailable, Reason::kInternal,
        absl::StrCat("cannot listen on ", address, ": is the address this machine's, and free?"));
  }
  listeners_.push_back(std::move(server));
  return absl::OkStatus();
}

void Server::Stop(absl::Duration deadline) {
  const auto until = std::chrono::system_clock::now() + absl::ToChronoMicroseconds(deadline);
  // Streams would not end by themselves; calls do, as long as the engine answers.
  if (events_ != nullptr) events_->Stop();
  if (session_service_ != nullptr) session_service_->Stop(deadline / 2);
  std::vector<std::thread> stopping;
  for (const auto& listener : listeners_) {
    stopping.emplace_back([&] { listener->Shutdown(until); });
  }
  for (std::thread& thread : stopping) thread.join();
  listeners_.clear();
  if (session_service_ != nullptr) session_service_->Stop(absl::ZeroDuration());
  if (workers_ != nullptr) workers_->Stop();
  if (enrollment_workers_ != nullptr) enrollment_workers_->Stop();
  retention_.reset();
  if (engine_ != nullptr) engine_->Stop();
}

}  // namespace hostq::manager
