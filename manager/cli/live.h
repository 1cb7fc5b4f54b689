#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "manager/cli/tool.h"

namespace hostq::cli {

// What is drawn; it asks the manager. tool.terminal has the size of the screen.
using LiveView = std::function<absl::StatusOr<std::string>()>;

// Draws `view` again and again, when something happens in the cluster and at least every 2 s, until
// q or Ctrl-C. While the manager does not answer, the last view stays and says so. Returns the exit
// code; on SIGTERM and SIGHUP it puts the terminal back and ends as they do. The first view that
// cannot be made ends it with that error. Errors too: those of Screen::Open.
absl::StatusOr<int> RunLive(Tool& tool, const LiveView& view);

// Where there is no screen: `text` is printed each time that it is another one, until the program
// is ended or the output cannot be written. `separator` stands between two.
absl::StatusOr<int> RunRepeated(Tool& tool, const LiveView& view, const std::string& separator);

// The chosen action with --watch: live on a terminal, repeated elsewhere.
absl::StatusOr<int> Watch(Tool& tool);

}  // namespace hostq::cli
