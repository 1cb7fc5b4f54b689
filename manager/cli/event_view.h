#pragma once

#include <string>

#include "hostq/v1/event_service.pb.h"
#include "manager/cli/explain.h"

namespace hostq::cli {

// One line, or several where the terminal is narrow.
std::string RenderEvent(const v1::Event& event, const View& view);

}  // namespace hostq::cli
