#pragma once

#include <string>
#include <vector>

#include "hostq/v1/command.pb.h"
#include "hostq/v1/node.pb.h"
#include "manager/cli/explain.h"

// A command on its way, as text. Pure.
namespace hostq::cli {

// One line a task, at most `max_lines` of them (finished tasks are left out first), then a line
// that counts. For redrawing.
std::vector<std::string> RenderProgress(const v1::Command& command, size_t max_lines,
                                        const View& view);

// What changed between two looks at a command, one line a task, with the time since the command was
// submitted: for logs. `before` may be empty.
std::vector<std::string> DescribeChanges(const v1::Command& before, const v1::Command& after,
                                         const View& view);

// The last words about a finished command: how it ended, what failed and why, what to type next.
std::string RenderSummary(const v1::Command& command, const View& view);
// The same when the time was up first.
std::string RenderTimeout(const v1::Command& command, absl::Duration timeout);

// "12 of 300 parts ended, 1 failed".
std::string PartsText(const v1::Command::Parts& parts);
// The tasks as a table.
std::string RenderTasks(const v1::Command& command, const View& view);
// What `hostq command cancel` prints: what became of each task. `nodes` may lack some.
std::string RenderCancellation(const v1::Command& command, const std::vector<v1::Node>& nodes,
                               const View& view);
// Everything about a command: tasks, attempts, steps with their durations and evidence.
std::string RenderCommand(const v1::Command& command, const View& view);

}  // namespace hostq::cli
