#pragma once

#include <vector>

#include "manager/cluster/cluster.h"
#include "manager/domain/findings.h"
#include "manager/engine/engine.h"

namespace hostq::manager {

// Everything that is not as it should be: the manager itself, alarms, webhooks, mails, nodes, then
// tasks (only those in which somebody has to act unless `all`). On the engine's thread.
std::vector<Finding> AllFindings(const Engine& engine, const Cluster& cluster, const Queue& queue,
                                 const Now& now, bool all);

}  // namespace hostq::manager
