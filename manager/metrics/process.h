#pragma once

#include "manager/metrics/page.h"

namespace hostq::manager {

// What the kernel says of this process. Blocks on /proc.
void ShowProcess(Page& page);

}  // namespace hostq::manager
