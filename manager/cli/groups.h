#pragma once

#include "CLI/CLI.hpp"
#include "manager/cli/tool.h"

// Each adds one group of commands to the tree.
namespace hostq::cli {

void AddAccountCommands(CLI::App& root, Tool& tool);
void AddShareCommands(CLI::App& root, Tool& tool);
void AddQuotaCommands(CLI::App& root, Tool& tool);
void AddAddressCommands(CLI::App& root, Tool& tool);
void AddBalancerCommands(CLI::App& root, Tool& tool);
void AddCommandCommands(CLI::App& root, Tool& tool);
// stuck, explain
void AddFindingCommands(CLI::App& root, Tool& tool);
// overview, top
void AddOverviewCommands(CLI::App& root, Tool& tool);
void AddDoctorCommands(CLI::App& root, Tool& tool);
void AddNodeCommands(CLI::App& root, Tool& tool);
void AddAuthorityCommands(CLI::App& root, Tool& tool);
void AddAlarmCommands(CLI::App& root, Tool& tool);
void AddEventCommands(CLI::App& root, Tool& tool);
void AddAuditCommands(CLI::App& root, Tool& tool);
void AddKeyCommands(CLI::App& root, Tool& tool);
void AddWebhookCommands(CLI::App& root, Tool& tool);
void AddAdministratorCommands(CLI::App& root, Tool& tool);
void AddCompletionCommands(CLI::App& root, Tool& tool);
void AddManCommands(CLI::App& root, Tool& tool);

}  // namespace hostq::cli
