#pragma once

#include <string>

#include "absl/time/time.h"
#include "hostq/v1/command_service.pb.h"
#include "hostq/v1/finding.pb.h"
#include "manager/cli/layout.h"

// Findings as text. Pure: the same input gives the same text.
namespace hostq::cli {

struct View {
  absl::Time now;
  absl::TimeZone zone;
  // As in Terminal; 0: not limited.
  size_t width = 0;
  size_t prose_width = 100;
  bool colour = false;
};

// Everything about one finding: what, why, since when, who must act, what was seen, what to do.
std::string RenderFinding(const v1::Finding& finding, const View& view);
// What `hostq explain` prints. `node`: only the task there; empty: all.
std::string RenderExplanation(const v1::ExplainCommandResponse& response, const std::string& node,
                              const View& view);
// What --dry-run prints.
std::string RenderDryRun(const v1::CreateCommandResponse& response, const View& view);
// What `hostq stuck` prints: findings with the same cause together.
std::string RenderStuck(const v1::ListFindingsResponse& response, const View& view);

}  // namespace hostq::cli
