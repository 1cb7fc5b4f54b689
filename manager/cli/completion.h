#pragma once

#include <string>

#include "CLI/CLI.hpp"

namespace hostq::cli {

// A script for bash that completes the commands, options and fixed values of the tree.
std::string BashCompletion(const CLI::App& root);

}  // namespace hostq::cli
