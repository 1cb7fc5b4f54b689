#pragma once

#include "CLI/CLI.hpp"
#include "manager/cli/tool.h"

// Whether the nodes have what they should have, and putting it right.
namespace hostq::cli {

// hostq account check
void AddAccountCheck(CLI::App& group, Tool& tool);
// hostq account resync
void AddAccountResync(CLI::App& group, Tool& tool);
// hostq node resync
void AddNodeResync(CLI::App& group, Tool& tool);

}  // namespace hostq::cli
