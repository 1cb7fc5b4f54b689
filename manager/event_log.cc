#include "manager/event_log.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/id.h"
#include "common/base/trace_context.h"
#include "common/log/log.h"
#include "common/log/log_span.h"

namespace hostq::manager {
namespace {

// "NODE_PAUSED": "node paused".
std::string WordsOf(v1::Event::Type type) {
  return absl::StrReplaceAll(absl::AsciiStrToLower(v1::Event::Type_Name(type)), {{"_", " "}});
}

std::optional<Span> CommandSpan(const v1::Event& event) {
  return SpanWithin(event.traceparent(), absl::StrCat("command/", event.command_id()));
}

std::string TraceIdOf(const v1::Event& event) {
  const std::optional<Span> span = CommandSpan(event);
  return span ? span->trace_id : "";
}

void LogFinished(const v1::Event& event) {
  const absl::Time finish =
      absl::FromUnixSeconds(event.time().seconds()) + absl::Nanoseconds(event.time().nanos());
  const std::optional<int64_t> id = ParseId(event.command_id());
  const absl::Time start = id ? TimeOfId(*id) : finish;
  // After a clock that was put back ids run ahead of it.
  LogSpan(LogLevel::kInfo, "command finished", CommandSpan(event), start,
          std::max(finish - start, absl::ZeroDuration()),
          {{"command", event.command_id()}, {"what", event.message()}});
}

}  // namespace

void LogEvent(const v1::Event& event) {
  const v1::Reason::Code reason = event.reason();
  const std::string& reason_name = v1::Reason::Code_Name(reason);
  switch (event.type()) {
    case v1::Event::COMMAND_CREATED:
      LogInfo("command accepted", {{"command", event.command_id()},
                                   {"actor", event.actor()},
                                   {"what", event.message()},
                                   {"trace_id", TraceIdOf(event)}});
      return;
    case v1::Event::COMMAND_FINISHED:
      return LogFinished(event);
    case v1::Event::TASK_CHANGED: {
      const bool parked = event.to_phase() == v1::Task::PARKED;
      if (!parked && event.to_phase() != v1::Task::BACKING_OFF &&
          event.outcome() != v1::Task::FAILED) {
        return;
      }
      LogWarning(parked ? "task parked" : "task failed",
                 {{"command", event.command_id()},
                  {"task", absl::StrCat(event.command_id(), "/", event.node())},
                  {"node", event.node()},
                  {"attempt", event.attempt()},
                  {"reason", reason_name},
                  {"message", event.message()},
                  {"trace_id", TraceIdOf(event)}});
      return;
    }
    case v1::Event::CANCEL_REQUESTED:
      LogInfo("cancellation asked for", {{"command", event.command_id()},
                                         {"node", event.node()},
                                         {"actor", event.actor()},
                                         {"trace_id", TraceIdOf(event)}});
      return;
    case v1::Event::PAUSED:
    case v1::Event::RESUMED:
      LogInfo(event.type() == v1::Event::PAUSED ? "commands paused" : "commands resumed",
              {{"what", event.message()}, {"actor", event.actor()}});
      return;
    // The session says it, with the address.
    case v1::Event::NODE_CONNECTED:
    case v1::Event::NODE_DISCONNECTED:
      return;
    default:
      LogInfo("node changed", {{"node", event.node()},
                               {"what", WordsOf(event.type())},
                               {"actor", event.actor()},
                               {"message", event.message()}});
  }
}

}  // namespace hostq::manager
