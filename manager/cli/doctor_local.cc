#include "manager/cli/doctor_local.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/base/reason.h"
#include "common/config/manager_config.h"
#include "common/crypto/certificate.h"
#include "common/crypto/secret_file.h"
#include "google/protobuf/util/time_util.h"
#include "manager/cli/words.h"

namespace hostq::cli {
namespace {

using manager::CheckStatus;
using manager::HealthCheck;

HealthCheck Found(const std::string& id, CheckStatus status, const std::string& message,
                  Reason reason = Reason::kNone, const std::string& remedy = "") {
  HealthCheck check;
  check.id = id;
  check.status = status;
  check.message = message;
  check.reason = reason;
  check.remedy = remedy;
  return check;
}

// What systemd says of the service, by name. Empty: it does not say anything.
std::map<std::string, std::string> AskSystemd() {
  std::map<std::string, std::string> out;
  if (access("/run/systemd/system", F_OK) != 0) return out;
  FILE* pipe = popen(
      "systemctl show hostq-manager.service -p LoadState -p ActiveState -p SubState -p Result "
      "2>/dev/null",
      "re");
  if (pipe == nullptr) return out;
  std::string text;
  char buffer[512];
  for (size_t got; (got = fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, got);
  if (pclose(pipe) != 0) return out;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::pair<std::string, std::string> pair = absl::StrSplit(line, absl::MaxSplits('=', 1));
    if (!pair.first.empty()) out.insert(pair);
  }
  return out;
}

HealthCheck CheckService() {
  constexpr char kId[] = "service";
  std::map<std::string, std::string> unit = AskSystemd();
  if (unit.empty()) return Found(kId, CheckStatus::kSkipped, "systemd does not run here");
  if (unit["LoadState"] != "loaded") {
    return Found(kId, CheckStatus::kSkipped,
                 "there is no service hostq-manager: it is started in another way");
  }
  const std::string state = absl::StrCat(unit["ActiveState"], " (", unit["SubState"], ")");
  if (unit["ActiveState"] == "active") {
    return Found(kId, CheckStatus::kOk, absl::StrCat("hostq-manager.service is ", state));
  }
  return Found(kId, CheckStatus::kFailed,
               absl::StrCat("hostq-manager.service is ", state, ", result ", unit["Result"]),
               Reason::kNone,
               "see why: journalctl -u hostq-manager -n 50; start it: systemctl start "
               "hostq-manager");
}

HealthCheck CheckConfiguration(const std::string& path,
                               const absl::StatusOr<ManagerConfig>& config) {
  constexpr char kId[] = "configuration";
  if (config.ok()) return Found(kId, CheckStatus::kOk, absl::StrCat(path, " can be read"));
  if (absl::IsPermissionDenied(config.status())) {
    return Found(kId, CheckStatus::kSkipped,
                 absl::StrCat("you may not read ", path, "; with sudo: hostq doctor"));
  }
  return Found(kId, CheckStatus::kFailed, std::string(config.status().message()),
               Reason::kInvalidArgument,
               absl::StrCat("mend it, or say where it is: hostq doctor --config PATH"));
}

// Of a file or directory: 0, or why it cannot be looked at.
int LookAt(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 ? 0 : errno;
}

HealthCheck CheckStateDir(const std::string& dir) {
  constexpr char kId[] = "database";
  const std::string database = dir + "/hostq.db";
  const int error = LookAt(database);
  if (error == 0) return Found(kId, CheckStatus::kOk, absl::StrCat("there is ", database));
  if (error == EACCES) {
    return Found(kId, CheckStatus::kSkipped,
                 absl::StrCat("you may not look into ", dir, "; with sudo: hostq doctor"));
  }
  const bool absent = error == ENOENT && LookAt(dir + "/ca") != 0;
  return Found(kId, CheckStatus::kFailed, absl::StrCat(database, ": ", strerror(error)),
               Reason::kStoreUnavailable,
               absent ? "make the cluster: hostq-manager init --config PATH; or say where its "
                        "configuration is: hostq doctor --config PATH"
                      : "there is an authority and no database: restore it from the backup");
}

HealthCheck CheckServerFile(const std::string& dir, absl::Time now) {
  const absl::StatusOr<SecretString> pem = ReadSecretFile(dir + "/ca/server.pem");
  if (!pem.ok()) return manager::CheckManagerCertificate(pem.status(), now);
  const absl::StatusOr<CertificateInfo> info = ParseCertificate(pem->Reveal());
  if (!info.ok()) return manager::CheckManagerCertificate(info.status(), now);
  HealthCheck check = manager::CheckManagerCertificate(
      manager::Validity{"the manager", info->not_before, info->not_after}, now);
  if (check.status == CheckStatus::kOk) return check;
  // It makes itself another when it starts.
  check.status = CheckStatus::kWarning;
  return check;
}

}  // namespace

v1::ManagerCheck ToProto(const HealthCheck& check) {
  v1::ManagerCheck out;
  out.set_id(check.id);
  out.set_status(static_cast<v1::PreflightCheck::Status>(check.status));
  out.set_message(check.message);
  out.mutable_evidence()->insert(check.evidence.begin(), check.evidence.end());
  out.set_reason(static_cast<v1::Reason::Code>(check.reason));
  out.set_remedy(check.remedy);
  return out;
}

v1::Diagnosis DiagnoseWithoutManager(const Unreachable& why, const std::string& config_path,
                                     absl::Time now, manager::Machine& machine) {
  const absl::StatusOr<ManagerConfig> config = LoadManagerConfig(config_path);
  const std::string dir = config.ok() ? config->state_dir : ManagerConfig().state_dir;
  std::vector<HealthCheck> checks = {
      Found("manager", CheckStatus::kFailed, why.message, Reason::kNone,
            absl::StrReplaceAll(why.remedy,
                                {{"see what can be seen without it: hostq doctor; ", ""}})),
      CheckService(), CheckConfiguration(config_path, config), CheckStateDir(dir)};
  // Below it the rest cannot be told.
  const bool there = checks.back().status == CheckStatus::kOk;
  checks.push_back(manager::CheckDiskFree(dir, machine.SpaceAt(dir)));
  if (there) {
    checks.push_back(manager::CheckDiskWrite(dir, machine.TimeWrites(dir, 8, absl::Seconds(3))));
    checks.push_back(CheckServerFile(dir, now));
  }
  checks.push_back(manager::CheckClock(machine.LookAtClock()));
  v1::Diagnosis out;
  *out.mutable_time() = FromTime(now);
  for (const HealthCheck& check : checks) *out.add_checks() = ToProto(check);
  return out;
}

}  // namespace hostq::cli
