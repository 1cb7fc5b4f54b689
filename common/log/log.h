#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace hostq {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// "debug", "info", "warning", "error".
std::optional<LogLevel> ParseLogLevel(absl::string_view text);
absl::string_view LogLevelName(LogLevel level);

// One named value of a log line. Takes text, numbers, bool, durations and statuses; not a
// SecretString.
class LogField {
 public:
  LogField(absl::string_view key, absl::string_view value) : key_(key), value_(value) {}
  LogField(absl::string_view key, const char* value) : key_(key), value_(value) {}
  LogField(absl::string_view key, const std::string& value) : key_(key), value_(value) {}
  LogField(absl::string_view key, bool value) : key_(key), value_(value ? "true" : "false") {}
  template <typename T, std::enable_if_t<std::is_integral_v<T>, int> = 0>
  LogField(absl::string_view key, T value) : key_(key), value_(std::to_string(value)) {}
  LogField(absl::string_view key, double value);
  LogField(absl::string_view key, absl::Duration value);
  LogField(absl::string_view key, absl::Time value);
  // "UNAVAILABLE: message [REASON]".
  LogField(absl::string_view key, const absl::Status& value);

  absl::string_view key() const { return key_; }
  absl::string_view value() const { return value_; }

 private:
  absl::string_view key_;  // a literal
  std::string value_;
};

// Lines go to standard error: "LEVEL message key=value ...", with "TIME program[pid] " before it
// unless the journal is at the other end (JOURNAL_STREAM), which knows both; there the level is a
// prefix such as "<4>". Call once, before Log() and other threads; lines before that are printed as
// after InitLog("hostq", kInfo).
void InitLog(absl::string_view program, LogLevel level);

// One event, one line, one write. `text` is fixed ("session opened"); what varies goes into fields.
// Values with spaces, quotes, '=' or nothing in them are quoted; control characters and invalid
// UTF-8 are escaped, so that no value can forge a line. A value is cut at 2000 bytes. Thread-safe;
// blocks as standard error does; never fails.
void Log(LogLevel level, absl::string_view text, std::initializer_list<LogField> fields = {});

inline void LogDebug(absl::string_view text, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kDebug, text, fields);
}
inline void LogInfo(absl::string_view text, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kInfo, text, fields);
}
inline void LogWarning(absl::string_view text, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kWarning, text, fields);
}
inline void LogError(absl::string_view text, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kError, text, fields);
}

// What Log() writes after the time stamp, without the line's end; for tests.
std::string FormatLogLine(LogLevel level, absl::string_view text,
                          std::initializer_list<LogField> fields);

}  // namespace hostq
