#pragma once

#include <map>
#include <string>
#include <vector>

namespace hostq::testing {

struct Finished {
  int exit_code = -1;  // 128 + signal if it was ended by one
  std::string out;
  std::string err;
};

// Runs a program to its end, with `input` as standard input and `environment` besides PATH.
Finished RunProcess(const std::vector<std::string>& arguments,
                    const std::map<std::string, std::string>& environment,
                    const std::string& input);
// The same on a terminal of 80 columns: output and errors come together, in `out`.
Finished RunOnTerminal(const std::vector<std::string>& arguments,
                       const std::map<std::string, std::string>& environment,
                       const std::string& input);

}  // namespace hostq::testing
