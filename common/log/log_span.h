#pragma once

#include <initializer_list>
#include <optional>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/trace_context.h"
#include "common/log/log.h"

namespace hostq {

// A line as Log() writes it, of something that began and has ended; after its fields "start",
// "duration" (seconds, with microseconds), "trace_id", "span_id" and "parent_id", if it belongs to
// a trace: from these lines of all programs a trace can be put together (docs/reference/logs.md).
void LogSpan(LogLevel level, absl::string_view text, const std::optional<Span>& span,
             absl::Time start, absl::Duration duration, std::initializer_list<LogField> fields);

}  // namespace hostq
