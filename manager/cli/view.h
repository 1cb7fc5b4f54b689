#pragma once

#include "manager/cli/explain.h"
#include "manager/cli/tool.h"

namespace hostq::cli {

inline View MakeView(Tool& tool) {
  return View{tool.now(), tool.zone, tool.terminal.width, tool.terminal.ProseWidth(),
              tool.terminal.colour};
}

}  // namespace hostq::cli
