#include "manager/domain/types.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/id.h"

namespace hostq::manager {

absl::string_view NameOf(Phase phase) {
  switch (phase) {
    case Phase::kQueued:
      return "QUEUED";
    case Phase::kLeased:
      return "LEASED";
    case Phase::kAccepted:
      return "ACCEPTED";
    case Phase::kRunning:
      return "RUNNING";
    case Phase::kUnknown:
      return "UNKNOWN";
    case Phase::kBackingOff:
      return "BACKING_OFF";
    case Phase::kParked:
      return "PARKED";
    case Phase::kFinished:
      return "FINISHED";
  }
  return "?";
}

absl::string_view NameOf(Outcome outcome) {
  switch (outcome) {
    case Outcome::kNone:
      return "NONE";
    case Outcome::kSucceeded:
      return "SUCCEEDED";
    case Outcome::kFailed:
      return "FAILED";
    case Outcome::kCancelled:
      return "CANCELLED";
    case Outcome::kExpired:
      return "EXPIRED";
    case Outcome::kSuperseded:
      return "SUPERSEDED";
  }
  return "?";
}

absl::string_view NameOf(CommandState state) {
  switch (state) {
    case CommandState::kActive:
      return "ACTIVE";
    case CommandState::kSucceeded:
      return "SUCCEEDED";
    case CommandState::kFailed:
      return "FAILED";
    case CommandState::kCancelled:
      return "CANCELLED";
    case CommandState::kSuperseded:
      return "SUPERSEDED";
  }
  return "?";
}

const Task* Command::FindTask(absl::string_view node) const {
  const auto found =
      std::find_if(tasks.begin(), tasks.end(), [&](const Task& task) { return task.node == node; });
  return found == tasks.end() ? nullptr : &*found;
}

Task* Command::FindTask(absl::string_view node) {
  return const_cast<Task*>(std::as_const(*this).FindTask(node));
}

std::string TaskIdOf(CommandId command, absl::string_view node) {
  return absl::StrCat(FormatId(command), "/", node);
}

}  // namespace hostq::manager
