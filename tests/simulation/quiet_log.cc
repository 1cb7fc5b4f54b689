// In place of common/log: a simulated agent has much to complain about, and nobody reads it.
#include "common/log/log.h"
#include "common/log/log_span.h"

namespace hostq {

LogField::LogField(absl::string_view key, double) : key_(key) {}
LogField::LogField(absl::string_view key, absl::Duration) : key_(key) {}
LogField::LogField(absl::string_view key, absl::Time) : key_(key) {}
LogField::LogField(absl::string_view key, const absl::Status&) : key_(key) {}
void Log(LogLevel, absl::string_view, std::initializer_list<LogField>) {}
void LogSpan(LogLevel, absl::string_view, const std::optional<Span>&, absl::Time, absl::Duration,
             std::initializer_list<LogField>) {}

}  // namespace hostq
