#pragma once

#include <string>

#include "hostq/v1/account_service.pb.h"
#include "hostq/v1/node_service.pb.h"
#include "manager/cli/explain.h"

// Nodes as text. Pure.
namespace hostq::cli {

std::string RenderNodes(const v1::ListNodesResponse& response, const View& view);
// A node and its checks.
std::string RenderNode(const v1::Node& node, const View& view);
// The checks of the last preflight as a table.
std::string RenderChecks(const v1::Node& node, const View& view);

// What `hostq node remove` prints: what stays on the node, and how to clean it. `balancing`: as it
// was before.
std::string RenderRemoved(const std::string& name, const v1::ListSharesResponse& shares,
                          const v1::Balancing& balancing = {});

}  // namespace hostq::cli
