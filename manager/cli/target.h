#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace hostq::cli {

// A task as people and remedies name it: "ID/NODE", or "ID" for all of a command.
struct TaskName {
  std::string command;
  std::string node;  // may be empty
};
TaskName SplitTask(absl::string_view text);

// What the argument of `hostq explain` means: a resource key to look for ("example.com",
// "203.0.113.10", "share/home"), or nothing if it is an id or "ID/NODE".
std::string KeyOf(absl::string_view text);

}  // namespace hostq::cli
