// hostq-manager: flags, configuration, signals, exit codes; nothing else.

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/process_limits.h"
#include "common/config/manager_config.h"
#include "common/crypto/secret_file.h"
#include "common/log/log.h"
#include "common/rpc/credentials.h"
#include "common/rpc/settings.h"
#include "manager/server.h"
#include "manager/state_dir.h"

namespace hostq::manager {
namespace {

constexpr int kOk = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

// systemd waits 90 s by default before it kills.
constexpr absl::Duration kStopDeadline = absl::Seconds(10);
// Between two looks at whether a database that could not be written can be written again.
constexpr absl::Duration kProbeInterval = absl::Seconds(5);

constexpr char kHelp[] =
    R"(hostq-manager keeps the commands of a hosting cluster and sends them to its nodes.

usage:
  hostq-manager init [--config FILE]   once: make the state directory, the cluster's certificate
                                       authority and the database; nothing is overwritten
      [--ca-cert FILE --ca-key FILE]   with this authority instead of one of its own, for example
                                       one that your company's root has signed for hostq
      [--ca-cert FILE --server-cert FILE --server-key FILE]
                                       without an authority: all certificates come from outside
  hostq-manager run [--config FILE]    run in the foreground until SIGTERM or SIGINT
  hostq-manager --version | --help

FILE is /etc/hostq/manager.toml if not given. The smallest one has two keys:

  [cluster]
  name = "example"
  quorum_address = "192.0.2.10"        # this machine's address that the nodes reach

The log goes to standard error. Nodes are added and commands given with hostq, over the local
socket (listen.admin_socket):

  hostq node add web1 --role app --address 192.0.2.11

exit codes:
  0  done, or stopped by a signal
  1  failed: the last line on standard error says why
  2  wrong usage or configuration
)";

struct Arguments {
  std::string command;
  std::string config = kManagerConfigPath;
  // Of init: files.
  std::string ca_cert, ca_key, server_cert, server_key;
};

int UsageError(const std::string& what) {
  std::fprintf(stderr, "hostq-manager: %s\nhostq-manager --help tells more\n", what.c_str());
  return kUsage;
}

struct FileOption {
  const char* name;
  std::string Arguments::*field;
  std::optional<std::string> value;  // "--NAME=VALUE"
};

std::optional<FileOption> TakeFileOption(absl::string_view word) {
  for (const FileOption& option : {FileOption{"--config", &Arguments::config, {}},
                                   FileOption{"--ca-cert", &Arguments::ca_cert, {}},
                                   FileOption{"--ca-key", &Arguments::ca_key, {}},
                                   FileOption{"--server-cert", &Arguments::server_cert, {}},
                                   FileOption{"--server-key", &Arguments::server_key, {}}}) {
    if (word == option.name) return option;
    absl::string_view value = word;
    if (absl::ConsumePrefix(&value, absl::StrCat(option.name, "="))) {
      return FileOption{option.name, option.field, std::string(value)};
    }
  }
  return std::nullopt;
}

// Which of the files of init go together. Empty: these do.
std::string WrongFiles(const Arguments& arguments) {
  const bool ca = !arguments.ca_cert.empty();
  const bool ca_key = !arguments.ca_key.empty();
  const bool server = !arguments.server_cert.empty();
  const bool server_key = !arguments.server_key.empty();
  if (!ca && !ca_key && !server && !server_key) return "";
  if (arguments.command != "init") return "--ca-cert and the like are for init";
  if (ca && ca_key && !server && !server_key) return "";
  if (ca && !ca_key && server && server_key) return "";
  return "wanted: --ca-cert and --ca-key (the manager issues with that authority), or --ca-cert, "
         "--server-cert and --server-key (certificates come from outside)";
}

// Below 0: go on.
int Parse(const std::vector<std::string>& words, Arguments& out) {
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--help" || word == "-h" || word == "help") {
      std::fputs(kHelp, stdout);
      return kOk;
    }
    if (word == "--version") {
      std::printf("hostq-manager %s\n", HOSTQ_VERSION);
      return kOk;
    }
    if (const std::optional<FileOption> option = TakeFileOption(word)) {
      if (!option->value && i + 1 == words.size()) {
        return UsageError(absl::StrCat(option->name, ": which file?"));
      }
      out.*(option->field) = option->value ? *option->value : words[++i];
    } else if (out.command.empty() && (word == "run" || word == "init")) {
      out.command = word;
    } else {
      return UsageError(absl::StrCat("what is \"", word, "\"?"));
    }
  }
  if (out.command.empty()) return UsageError("say what to do: init or run");
  if (const std::string wrong = WrongFiles(out); !wrong.empty()) return UsageError(wrong);
  return -1;
}

int Fail(const absl::Status& status, int code) {
  const Reason reason = ReasonOf(status);
  const std::string name =
      reason == Reason::kNone ? std::string() : absl::StrCat(" [", NameOf(reason), "]");
  std::fprintf(stderr, "hostq-manager: %s%s\n", std::string(status.message()).c_str(),
               name.c_str());
  return code;
}

absl::StatusOr<std::string> ReadNotEmpty(const std::string& path) {
  HOSTQ_ASSIGN_OR_RETURN(std::string text, ReadFile(path));
  if (!text.empty()) return text;
  return MakeError(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument,
                   absl::StrCat(path, " is empty"));
}

absl::StatusOr<SecretString> ReadKey(const std::string& path) {
  HOSTQ_ASSIGN_OR_RETURN(SecretString text, ReadSecretFile(path));
  if (!text.empty()) return text;
  return MakeError(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument,
                   absl::StrCat(path, " is empty"));
}

// Before init becomes the user of the state directory, who may not read them.
absl::StatusOr<InitialCertificates> ReadCertificates(const Arguments& arguments) {
  InitialCertificates out;
  if (arguments.ca_cert.empty()) return out;
  HOSTQ_ASSIGN_OR_RETURN(out.ca_pem, ReadNotEmpty(arguments.ca_cert));
  if (!arguments.ca_key.empty()) {
    HOSTQ_ASSIGN_OR_RETURN(out.ca_key_pem, ReadKey(arguments.ca_key));
    return out;
  }
  HOSTQ_ASSIGN_OR_RETURN(out.server_pem, ReadNotEmpty(arguments.server_cert));
  HOSTQ_ASSIGN_OR_RETURN(out.server_key_pem, ReadKey(arguments.server_key));
  return out;
}

int Init(const ManagerConfig& config, const Arguments& arguments) {
  const absl::StatusOr<InitialCertificates> certificates = ReadCertificates(arguments);
  if (!certificates.ok()) return Fail(certificates.status(), kFailed);
  const absl::StatusOr<std::string> made = InitStateDir(config, *certificates);
  if (!made.ok()) return Fail(made.status(), kFailed);
  std::fputs(made->c_str(), stdout);
  return kOk;
}

// Until a signal comes: its number. Or until a database that had failed can be written again: 0.
int Watch(Server& server, const ManagerConfig& config, const sigset_t& signals) {
  absl::Duration next_probe = absl::InfiniteDuration();
  ReturnSchedule schedule;
  for (;;) {
    const timespec second = {1, 0};
    const int signal_number = sigtimedwait(&signals, nullptr, &second);
    if (signal_number > 0) return signal_number;
    const absl::Duration now = SystemClock().Monotonic();
    if (schedule.IsTime(now, ResidentBytes())) ReturnFreedMemory();
    const absl::Status status = server.failed();
    if (status.ok()) continue;
    if (next_probe == absl::InfiniteDuration()) {
      LogError("nothing is accepted until the database can be written again; reading goes on",
               {{"status", status}});
      next_probe = now + kProbeInterval;
    }
    if (now < next_probe) continue;
    next_probe = now + kProbeInterval;
    if (!ProbeDatabase(config.state_dir).ok()) continue;
    LogInfo("the database can be written again: beginning anew from what is stored");
    return 0;
  }
}

int Run(const ManagerConfig& config) {
  // Before any thread is made: all of them leave the signals to this one.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);  // a limit on files is an error of the disk, not an end

  InitLog("hostq-manager", config.log_level);
  RouteGrpcLog();
  if (geteuid() == 0) LogWarning("the manager runs as root and does not need to");
  for (;;) {
    absl::StatusOr<std::unique_ptr<Server>> server = Server::Start(config);
    if (!server.ok()) {
      LogError("cannot start", {{"status", server.status()}});
      return kFailed;
    }
    const int signal_number = Watch(**server, config, signals);
    if (signal_number > 0) LogInfo("manager stops", {{"signal", signal_number}});
    (*server)->Stop(kStopDeadline);
    server->reset();
    if (signal_number > 0) break;
  }
  LogInfo("manager stopped");
  return kOk;
}

int Main(const std::vector<std::string>& words) {
  Arguments arguments;
  if (const int code = Parse(words, arguments); code >= 0) return code;
  const absl::StatusOr<ManagerConfig> config = LoadManagerConfig(arguments.config);
  if (!config.ok()) return Fail(config.status(), kUsage);
  umask(077);
  return arguments.command == "init" ? Init(*config, arguments) : Run(*config);
}

}  // namespace
}  // namespace hostq::manager

int main(int argc, char** argv) {
  hostq::ForbidCoreDumps();
  hostq::RaiseDescriptorLimit();
  hostq::RequireTls13();
  return hostq::manager::Main(std::vector<std::string>(argv + 1, argv + argc));
}
