#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "hostq/v1/manager_service.pb.h"
#include "manager/cli/client.h"
#include "manager/health/checks.h"

// What can be said about the manager when it does not answer.
namespace hostq::cli {

v1::ManagerCheck ToProto(const manager::HealthCheck& check);

// Why nobody answers, whether its service runs, whether its configuration can be read, and what its
// state directory, disk and clock look like. `config_path`: as for hostq-manager. What this user
// may not look at is SKIPPED. Blocks on the disk, and runs systemctl.
v1::Diagnosis DiagnoseWithoutManager(const Unreachable& why, const std::string& config_path,
                                     absl::Time now, manager::Machine& machine);

}  // namespace hostq::cli
