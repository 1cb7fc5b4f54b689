#pragma once

#include <string>

#include "hostq/v1/manager_service.pb.h"
#include "hostq/v1/node_service.pb.h"
#include "manager/cli/explain.h"

// The cluster at a glance, as text. Pure.
namespace hostq::cli {

// The manager, nodes, tasks, throughput; then what is stuck, by cause.
std::string RenderOverview(const v1::Overview& overview, const View& view);

struct TopFacts {
  v1::Overview overview;
  v1::ListNodesResponse nodes;
};

// What `hostq top` draws, at most `height` lines (0: not limited): what is stuck comes first, then
// the nodes that need a look, then what runs, as far as there is room.
std::string RenderTop(const TopFacts& facts, size_t height, const View& view);

// What `hostq doctor` prints.
std::string RenderDiagnosis(const v1::Diagnosis& diagnosis, const View& view);

}  // namespace hostq::cli
