#include <string>
#include <vector>

#include "common/base/clock.h"
#include "manager/cli/layout.h"
#include "manager/cli/tool.h"
#include "manager/cli/tree.h"

// hostq, the administrator's tool. Flags and exit codes: hostq --help, docs/reference/cli.md.
int main(int argc, char** argv) {
  hostq::cli::Tool tool(hostq::SystemClock(), hostq::cli::DetectTerminal());
  return hostq::cli::RunTool(tool, std::vector<std::string>(argv + 1, argv + argc));
}
