// hostq-agent: flags, configuration, exit codes. Talks to the manager, keeps the journal, decides
// what runs when; runs nothing itself and needs no privileges: hostq-executor does
// (agent/executor/main.cc). Started by root, it becomes a user of its own before it reads anything
// from the network.

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "agent/actions/action.h"
#include "agent/executor/configuration.h"
#include "agent/host/real_host.h"
#include "agent/host/service_user.h"
#include "agent/journal/sqlite_journal.h"
#include "agent/link/agent_loop.h"
#include "agent/link/enroll.h"
#include "agent/link/grpc_transport.h"
#include "agent/link/identity.h"
#include "agent/link/identity_keeper.h"
#include "agent/link/session_logic.h"
#include "common/base/error.h"
#include "common/base/process_limits.h"
#include "common/config/agent_config.h"
#include "common/crypto/certificate.h"
#include "common/crypto/secret_file.h"
#include "common/log/log.h"
#include "common/rpc/credentials.h"
#include "common/rpc/settings.h"

namespace hostq::agent {
namespace {

enum ExitCode { kStopped = 0, kFailed = 1, kUsage = 2, kNotJoined = 3, kRefused = 4 };

constexpr char kHelp[] =
    "hostq-agent: runs on every node of a hostq cluster and does what the manager asks.\n\n"
    "  1. on the manager:  hostq node add web1 --role app --address 10.0.0.11\n"
    "  2. on the node:     the line that it printed: hostq-agent join ...\n"
    "  3. on the node:     hostq-executor run and hostq-agent run\n"
    "                      (or: systemctl start hostq-executor hostq-agent)\n\n"
    "Root starts it; it then runs as the user hostq-agent, without privileges. What changes the\n"
    "system is hostq-executor.";
constexpr char kFooter[] =
    "\nWhat the node lets be done to it is in its own configuration, section [policy].\n"
    "Exit status: 0 stopped when asked to, 1 failure, 2 usage or configuration,\n"
    "3 not joined yet, 4 the manager refused the join.";

// How long running steps may go on when the agent is stopped; the rest begins again at next start.
constexpr absl::Duration kStopPatience = absl::Seconds(5);

int Fail(ExitCode code, const absl::Status& status) {
  std::cerr << "hostq-agent: " << status.message();
  if (const Reason reason = ReasonOf(status); reason != Reason::kNone) {
    std::cerr << " [" << NameOf(reason) << "]";
  }
  std::cerr << "\n";
  return code;
}

// From here on this process has no privileges, and a state directory of its own.
absl::Status DropPrivileges(const AgentConfig& config) {
  if (geteuid() == 0) {
    HOSTQ_ASSIGN_OR_RETURN(const ServiceUser user, FindServiceUser(config.user));
    HOSTQ_RETURN_IF_ERROR(HandOver(config.state_dir, user));
    return Become(user);
  }
  std::error_code error;
  std::filesystem::create_directories(config.state_dir, error);
  if (!error) {
    std::filesystem::permissions(config.state_dir, std::filesystem::perms::owner_all, error);
  }
  if (!error) return absl::OkStatus();
  return ErrnoError(error.value(), Reason::kInternal, absl::StrCat("mkdir ", config.state_dir));
}

// One agent for each state directory. Held until the process ends, and by no child of it.
absl::StatusOr<int> LockState(const std::string& state_dir) {
  const std::string path = absl::StrCat(state_dir, "/lock");
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return ErrnoError(errno, Reason::kJournalUnavailable, absl::StrCat("open ", path));
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  const int number = errno;
  close(fd);
  if (number == EWOULDBLOCK) {
    return absl::AbortedError(absl::StrCat("another hostq-agent runs on ", state_dir));
  }
  return ErrnoError(number, Reason::kInternal, absl::StrCat("lock ", path));
}

StepPlanner MakePlanner(const Policy& policy) {
  return
      [policy](const v1::Work& work, const Roles& roles) { return PlanSteps(work, roles, policy); };
}

std::string BootId() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

int RunNetwork(const AgentConfig& config, const Policy& policy, Identity identity, int stop_fd) {
  auto journal = SqliteJournal::Open(absl::StrCat(config.state_dir, "/journal.db"));
  if (!journal.ok()) return Fail(kFailed, journal.status());
  SessionOptions options;
  options.agent_version = HOSTQ_VERSION;
  options.kinds = SupportedKinds();
  options.credits = config.credits;
  options.boot_id = BootId();
  const std::unique_ptr<Host> host = MakeRealHost({});
  options.upkeep.look = [&host](const Kept& kept) { return FindDrift(*host, kept); };
  options.upkeep.repair = config.policy.repair;
  options.upkeep.preflight_interval = config.preflight_interval;
  options.process_id = absl::StrCat(absl::Hex(RandomSeed(), absl::kZeroPad16));
  options.trusts = PinsOf(identity.ca_pem);
  SeededRandom random(RandomSeed());
  SessionLogic logic(options, MakePlanner(policy), **journal, SystemClock(), random);
  if (const auto status = logic.Start(); !status.ok()) return Fail(kFailed, status);
  Mailbox mailbox;
  LogInfo("started", {{"version", HOSTQ_VERSION},
                      {"manager", identity.manager_address},
                      {"in_flight", logic.in_flight()},
                      {"outbox", logic.outbox()}});
  const auto post = [&mailbox](TransportEvent event) { mailbox.Post(std::move(event)); };
  IdentityKeeper keeper(config.state_dir, identity, SystemClock(), RandomSeed(), post);
  GrpcTransport transport(std::move(identity), post);
  AgentLoop loop(logic, transport, mailbox, config.executor.socket(), SystemClock(),
                 {[&keeper](const v1::Trust& trust) { keeper.OnTrust(trust); },
                  [&keeper] { keeper.OnRefused(); }});
  loop.Run(stop_fd, kStopPatience);
  return kStopped;
}

// --- the subcommands ---

int Run(const AgentConfig& config) {
  const auto policy = PolicyOf(config);
  if (!policy.ok()) return Fail(kUsage, policy.status());
  if (const auto dropped = DropPrivileges(config); !dropped.ok()) return Fail(kFailed, dropped);
  auto identity = LoadIdentity(config.state_dir);
  if (!identity.ok()) {
    if (!absl::IsNotFound(identity.status())) return Fail(kFailed, identity.status());
    std::cerr
        << "hostq-agent: this node has not joined a cluster: on the manager run 'hostq node "
           "add NAME ...' (a node that has joined before: 'hostq node rejoin NAME'), here the "
           "join line that it prints\n";
    return kNotJoined;
  }
  InitLog("hostq-agent", config.log_level);
  const auto lock_fd = LockState(config.state_dir);
  if (!lock_fd.ok()) return Fail(kFailed, lock_fd.status());
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);  // before threads: they inherit it
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);  // a limit on files is an error of the disk, not an end
  const int stop_fd = signalfd(-1, &signals, SFD_CLOEXEC);
  RouteGrpcLog();
  const int code = RunNetwork(config, *policy, *std::move(identity), stop_fd);
  LogInfo("stopped");
  return code;
}

// Files of a certificate from outside.
struct OutsideFiles {
  std::string certificate, key, ca;
  bool given() const { return !certificate.empty() || !key.empty() || !ca.empty(); }
  bool complete() const { return !certificate.empty() && !key.empty() && !ca.empty(); }
};

// As root, who may read them.
absl::StatusOr<OutsideIdentity> ReadOutside(const OutsideFiles& files) {
  OutsideIdentity identity;
  HOSTQ_ASSIGN_OR_RETURN(identity.certificate_pem, ReadFile(files.certificate));
  HOSTQ_ASSIGN_OR_RETURN(identity.key_pem, ReadSecretFile(files.key));
  HOSTQ_ASSIGN_OR_RETURN(identity.ca_pem, ReadFile(files.ca));
  return identity;
}

// With a token, or with the files of a certificate from outside.
absl::StatusOr<Joined> JoinEitherWay(const AgentConfig& config, JoinRequest& request,
                                     const OutsideFiles& files) {
  OutsideIdentity outside;
  if (files.given()) {
    HOSTQ_ASSIGN_OR_RETURN(outside, ReadOutside(files));
  }
  HOSTQ_RETURN_IF_ERROR(DropPrivileges(config));
  if (files.given()) {
    outside.manager = request.manager;
    outside.state_dir = config.state_dir;
    outside.replace = request.replace;
    return JoinFromOutside(outside);
  }
  request.state_dir = config.state_dir;
  std::cout << "joining the cluster of " << request.manager << " ..." << std::endl;
  return Join(request);
}

int JoinCluster(const AgentConfig& config, JoinRequest request, const OutsideFiles& files) {
  const auto joined = JoinEitherWay(config, request, files);
  if (!joined.ok()) {
    const absl::Status& status = joined.status();
    const bool refused = absl::IsPermissionDenied(status) || absl::IsUnauthenticated(status);
    Fail(refused ? kRefused : kFailed, status);
    if (!refused && ReasonOf(status) != Reason::kNodeExists)
      std::cerr << "the same line can be used again\n";
    return refused ? kRefused : kFailed;
  }
  std::cout << "joined as " << joined->node << "; manager at " << joined->manager_address
            << "; certificate valid until "
            << absl::FormatTime("%Y-%m-%d", joined->expire_time, absl::UTCTimeZone())
            << "\nstart the agent, or start it again: systemctl restart hostq-executor hostq-agent"
            << std::endl;
  return kStopped;
}

int Main(int argc, char** argv) {
  RequireTls13();
  CLI::App app(kHelp, "hostq-agent");
  app.footer(kFooter);
  app.set_version_flag("--version", std::string("hostq-agent ") + HOSTQ_VERSION);
  app.require_subcommand(1);
  std::string config_path = kAgentConfigPath;
  JoinRequest request;
  std::string token;
  CLI::App* run = app.add_subcommand("run", "Run the agent in the foreground.");
  CLI::App* join = app.add_subcommand("join", "Make this machine a node of a cluster.");
  for (CLI::App* command : {run, join}) {
    command->add_option("--config", config_path, "Configuration file")->capture_default_str();
  }
  join->add_option("--node", request.node, "Whom the line is for: another node refuses it");
  join->add_flag("--replace", request.replace,
                 "This machine becomes that node, whatever it is now");
  join->add_option("--manager", request.manager, "HOST:PORT of the manager's enrolment")
      ->required();
  join->add_option("--token", token,
                   "Token from 'hostq node add' or 'hostq node rejoin'; works once");
  join->add_option("--ca-pin", request.ca_pin, "sha256:HEX of the cluster's authority");
  OutsideFiles files;
  join->add_option("--certificate", files.certificate,
                   "Instead of a token, if the cluster's certificates come from outside: PEM");
  join->add_option("--key", files.key, "Its key, PEM; 0600");
  join->add_option("--ca-cert", files.ca, "The authority's certificate, PEM");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kStopped : kUsage;
  }
  const auto config = LoadAgentConfig(config_path);
  if (!config.ok()) return Fail(kUsage, config.status());
  if (run->parsed()) return Run(*config);
  const bool with_token = !token.empty() && !request.ca_pin.empty();
  if (with_token == files.given() || (files.given() && !files.complete())) {
    std::cerr << "hostq-agent: join: wanted: --token and --ca-pin, as in the join line; or "
                 "--certificate, --key and --ca-cert\n";
    return kUsage;
  }
  request.token = SecretString(std::move(token));
  return JoinCluster(*config, std::move(request), files);
}

}  // namespace
}  // namespace hostq::agent

int main(int argc, char** argv) {
  hostq::ForbidCoreDumps();
  return hostq::agent::Main(argc, argv);
}
