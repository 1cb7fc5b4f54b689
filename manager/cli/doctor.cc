#include <algorithm>
#include <string>

#include "common/base/error.h"
#include "common/config/manager_config.h"
#include "manager/cli/doctor_local.h"
#include "manager/cli/groups.h"
#include "manager/cli/options.h"
#include "manager/cli/overview_view.h"
#include "manager/cli/view.h"
#include "manager/health/machine.h"

namespace hostq::cli {
namespace {

struct DoctorOptions {
  std::string config = kManagerConfigPath;
};

// A hardened service may not ask for the state of its clock; this program may, on the same machine.
void LookAtOwnClock(v1::Diagnosis& diagnosis) {
  for (v1::ManagerCheck& check : *diagnosis.mutable_checks()) {
    if (check.id() != "clock" || check.status() != v1::PreflightCheck::SKIPPED) continue;
    check = ToProto(manager::CheckClock(manager::ThisMachine().LookAtClock()));
  }
}

absl::StatusOr<int> Doctor(Tool& tool, const DoctorOptions& options) {
  absl::StatusOr<v1::Diagnosis> diagnosis = tool.client().Diagnose();
  const bool here = tool.remote.manager.empty();
  if (diagnosis.ok() && here) LookAtOwnClock(*diagnosis);
  if (!diagnosis.ok()) {
    if (!here || ExitCodeOf(diagnosis.status()) != kUnreachable) return diagnosis.status();
    diagnosis = DiagnoseWithoutManager(WhyUnreachable(tool.socket, diagnosis.status()),
                                       options.config, tool.now(), manager::ThisMachine());
  }
  if (tool.document()) {
    tool.PrintDocument(*diagnosis);
  } else {
    tool.Print(RenderDiagnosis(*diagnosis, MakeView(tool)));
  }
  const bool failed = std::any_of(
      diagnosis->checks().begin(), diagnosis->checks().end(),
      [](const v1::ManagerCheck& check) { return check.status() == v1::PreflightCheck::FAILED; });
  return failed ? kCommandFailed : kDone;
}

}  // namespace

void AddDoctorCommands(CLI::App& root, Tool& tool) {
  auto options = std::make_shared<DoctorOptions>();
  CLI::App& doctor = AddLeaf(
      root, "doctor",
      "is the manager itself well: disk, database, clock, certificates, versions; also if it does "
      "not run",
      "hostq doctor\n"
      "hostq doctor --output json | jq '.checks[] | select(.status == \"FAILED\")'");
  AddText(doctor, "--config", options->config, "PATH",
          "if the manager does not run: its configuration (default /etc/hostq/manager.toml)");
  OnRun(doctor, tool, options, Doctor);
}

}  // namespace hostq::cli
