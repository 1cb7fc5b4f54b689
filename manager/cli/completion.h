#pragma once

#include <string>

#include "CLI/CLI.hpp"

namespace hostq::cli {

// A script for bash that completes the commands, options and fixed values of the tree.
std::string BashCompletion(const CLI::App& root);

// The same for zsh, for a file _hostq in its $fpath, or to be sourced.
std::string ZshCompletion(const CLI::App& root);

}  // namespace hostq::cli
