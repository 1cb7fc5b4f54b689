#pragma once

#include <memory>
#include <string>

#include "CLI/CLI.hpp"
#include "manager/cli/tool.h"

namespace hostq::cli {

// All commands with their options: what is parsed, what --help and the completion are made of.
// `tool` must outlive it.
std::unique_ptr<CLI::App> MakeTree(Tool& tool);

// Parses the words after the program's name and does what they say. Returns the exit code.
int RunTool(Tool& tool, const std::vector<std::string>& words);

}  // namespace hostq::cli
