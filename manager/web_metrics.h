#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "manager/api/admission.h"
#include "manager/api/workers.h"
#include "manager/engine/engine.h"
#include "manager/http/front.h"
#include "manager/http/message.h"
#include "manager/metrics/manager_metrics.h"

namespace hostq::manager {

// Metrics and the HTTPS port: what it serves of them, and what is counted of it.

// GET /metrics, for administrators, and keys with `read` without limits. The page is made on
// `workers`: all must outlive the port.
WebFront::Page MetricsPage(ManagerMetrics& metrics, CallAdmission& admission, Engine& engine,
                           Workers& workers);

// The same exchange; how it is answered is counted under the route's path (RoutePaths).
std::shared_ptr<HttpExchange> Counted(std::shared_ptr<HttpExchange> exchange, CallCounts& counts,
                                      Clock& clock);
// Of the REST API, and what else the port answers.
std::vector<std::string> RoutePaths();

}  // namespace hostq::manager
