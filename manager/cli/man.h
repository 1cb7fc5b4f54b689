#pragma once

#include <string>

#include "CLI/CLI.hpp"

namespace hostq::cli {

// The manual page of the program, in roff (man(7)), from the tree that --help shows: each command
// with its arguments, options and examples.
std::string RenderManual(const CLI::App& root);

}  // namespace hostq::cli
