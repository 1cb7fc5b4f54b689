#pragma once

#include <string>

#include "CLI/CLI.hpp"

namespace hostq::cli {

// "hostq account create".
std::string PathOf(const CLI::App& app);
// The deepest command that was named on the command line.
const CLI::App& Chosen(const CLI::App& root);
// What --help prints: usage, commands or arguments, options, examples.
std::string RenderHelp(const CLI::App& app, size_t width);
// "-o, --output table|json"; of an argument "DOMAIN".
std::string NameOf(const CLI::Option* option);
// The usage line alone.
std::string UsageOf(const CLI::App& app);

}  // namespace hostq::cli
