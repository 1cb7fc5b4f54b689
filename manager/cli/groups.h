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
void AddNodeCommands(CLI::App& root, Tool& tool);
void AddEventCommands(CLI::App& root, Tool& tool);
void AddCompletionCommands(CLI::App& root, Tool& tool);

}  // namespace hostq::cli
