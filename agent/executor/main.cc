// hostq-executor: changes the system of a node, as root, one process per step. Reads the node's
// policy and refuses what that does not allow, whoever asks; is never near the network. Asked by
// hostq-agent over a Unix socket.

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <filesystem>
#include <iostream>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/actions/action.h"
#include "agent/executor/configuration.h"
#include "agent/executor/executor.h"
#include "agent/host/real_host.h"
#include "agent/host/service_user.h"
#include "agent/host/trusted_path.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/process_limits.h"
#include "common/config/agent_config.h"
#include "common/log/log.h"

namespace hostq::agent {
namespace {

constexpr absl::Duration kLockPatience = absl::Seconds(2);

enum ExitCode { kStopped = 0, kFailed = 1, kUsage = 2 };

constexpr char kHelp[] =
    "hostq-executor: changes the system of a node of a hostq cluster, as root: mounts, quotas,\n"
    "addresses, users. It is asked by hostq-agent, which runs without privileges, and does only\n"
    "what the node's configuration allows, section [policy]; nobody else's word counts.\n\n"
    "  hostq-executor run   (or: systemctl start hostq-executor)";
constexpr char kFooter[] =
    "\nExit status: 0 stopped when asked to, 1 failure, 2 usage or configuration.";

int Fail(ExitCode code, const absl::Status& status) {
  std::cerr << "hostq-executor: " << status.message() << "\n";
  return code;
}

absl::Status MakeDirectory(const std::string& path, mode_t mode) {
  HOSTQ_RETURN_IF_ERROR(CheckTrusted(path));
  std::error_code error;
  umask(022);
  std::filesystem::create_directories(path, error);
  if (error) return ErrnoError(error.value(), Reason::kInternal, absl::StrCat("mkdir ", path));
  if (chmod(path.c_str(), mode) == 0) return absl::OkStatus();
  return ErrnoError(errno, Reason::kInternal, absl::StrCat("chmod ", path));
}

// One executor for each socket. Held until the process ends. A step's process lets go of it as soon
// as it begins, which may be after an executor that was killed is gone: then it takes a moment.
absl::Status Lock(const std::string& run_dir) {
  const std::string path = absl::StrCat(run_dir, "/lock");
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return ErrnoError(errno, Reason::kInternal, absl::StrCat("open ", path));
  const absl::Duration until = SystemClock().Monotonic() + kLockPatience;
  while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (SystemClock().Monotonic() > until) {
      return absl::AbortedError(absl::StrCat("another hostq-executor runs on ", run_dir));
    }
    absl::SleepFor(absl::Milliseconds(20));
  }
  return absl::OkStatus();
}

// Without root it serves its own user, and can do what that one can.
absl::StatusOr<uid_t> AgentUid(const AgentConfig& config) {
  if (geteuid() != 0) return geteuid();
  HOSTQ_ASSIGN_OR_RETURN(const ServiceUser user, FindServiceUser(config.user));
  return user.uid;
}

absl::Status Serve(const AgentConfig& config, const Policy& policy, uid_t agent_uid) {
  HOSTQ_RETURN_IF_ERROR(MakeDirectory(config.executor.run_dir, 0755));
  HOSTQ_RETURN_IF_ERROR(MakeDirectory(config.executor.state_dir, 0700));
  HOSTQ_RETURN_IF_ERROR(Lock(config.executor.run_dir));
  const auto host = MakeRealHost({config.executor.state_dir, config.executor.run_dir,
                                  /*journal_directory=*/config.state_dir, QuotaRulesOf(config)});
  ExecutorOptions options;
  options.socket_path = config.executor.socket();
  options.running_directory = absl::StrCat(config.executor.run_dir, "/steps");
  options.agent_uid = agent_uid;
  const auto planner = [policy](const v1::Work& work, const Roles& roles) {
    return PlanSteps(work, roles, policy);
  };
  HOSTQ_ASSIGN_OR_RETURN(const auto executor,
                         Executor::Create(options, planner, *host, SystemClock()));
  LogInfo("started", {{"version", HOSTQ_VERSION}, {"agent_uid", agent_uid}});
  return executor->Run();
}

int Run(const std::string& config_path) {
  // Whoever can change the policy can do what it allows.
  if (const auto trusted = CheckTrusted(config_path); !trusted.ok()) return Fail(kUsage, trusted);
  const auto config = LoadAgentConfig(config_path);
  if (!config.ok()) return Fail(kUsage, config.status());
  const auto policy = PolicyOf(*config);
  if (!policy.ok()) return Fail(kUsage, policy.status());
  const auto agent_uid = AgentUid(*config);
  if (!agent_uid.ok()) return Fail(kUsage, agent_uid.status());
  InitLog("hostq-executor", config->log_level);
  if (const auto served = Serve(*config, *policy, *agent_uid); !served.ok()) {
    return Fail(kFailed, served);
  }
  LogInfo("stopped");
  return kStopped;
}

int Main(int argc, char** argv) {
  CLI::App app(kHelp, "hostq-executor");
  app.footer(kFooter);
  app.set_version_flag("--version", std::string("hostq-executor ") + HOSTQ_VERSION);
  app.require_subcommand(1);
  std::string config_path = kAgentConfigPath;
  CLI::App* run = app.add_subcommand("run", "Run the executor in the foreground.");
  run->add_option("--config", config_path, "The node's configuration file, the agent's as well")
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kStopped : kUsage;
  }
  return Run(config_path);
}

}  // namespace
}  // namespace hostq::agent

int main(int argc, char** argv) {
  hostq::ForbidCoreDumps();
  return hostq::agent::Main(argc, argv);
}
