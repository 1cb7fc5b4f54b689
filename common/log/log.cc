#include "common/log/log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/error.h"
#include "common/log/log_span.h"
#include "spdlog/logger.h"
#include "spdlog/pattern_formatter.h"
#include "spdlog/sinks/stdout_sinks.h"

namespace hostq {
namespace {

constexpr size_t kMaxValue = 2000;

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

// What sd-daemon(3) calls a level.
absl::string_view JournalPrefix(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "<7>";
    case LogLevel::kInfo:
      return "<6>";
    case LogLevel::kWarning:
      return "<4>";
    case LogLevel::kError:
      return "<3>";
  }
  return "<3>";
}

struct State {
  std::shared_ptr<spdlog::logger> logger;
  bool journal = false;
  const State* previous = nullptr;
};

// The variable alone says nothing: a shell in a unit hands it on to whatever it redirects.
bool JournalListens() {
  const char* const said = std::getenv("JOURNAL_STREAM");
  struct stat info {};
  return said != nullptr && fstat(STDERR_FILENO, &info) == 0 &&
         absl::StrCat(info.st_dev, ":", info.st_ino) == said;
}

State MakeState(absl::string_view program, LogLevel level) {
  State state;
  state.journal = JournalListens();
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  const std::string pattern =
      state.journal ? "%v" : absl::StrCat("%Y-%m-%dT%H:%M:%S.%eZ ", program, "[%P] %v");
  sink->set_formatter(
      std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc));
  state.logger = std::make_shared<spdlog::logger>(std::string(program), std::move(sink));
  state.logger->set_level(ToSpdlog(level));
  state.logger->flush_on(spdlog::level::trace);
  return state;
}

// Set once before other threads start, and never freed: threads may log while the program ends.
std::atomic<const State*> current{nullptr};

const State& Current() {
  const State* state = current.load(std::memory_order_acquire);
  if (state != nullptr) return *state;
  static const State* fallback = new State(MakeState("hostq", LogLevel::kInfo));
  return *fallback;
}

bool NeedsQuotes(absl::string_view value) {
  if (value.empty()) return true;
  for (const char c : value) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '=' || c == '\\' || c == '\x7f' ||
        (static_cast<unsigned char>(c) & 0x80) != 0) {
      return true;
    }
  }
  return false;
}

// Length of the printable UTF-8 sequence of more than one byte at the start; 0 if there is none.
// C1 control characters (U+0080 to U+009F) are commands to some terminals.
size_t MultiByteLength(absl::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const size_t length = first < 0xc2   ? 0
                        : first < 0xe0 ? 2
                        : first < 0xf0 ? 3
                        : first < 0xf5 ? 4
                                       : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return 0;
  }
  if (first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0) return 0;
  return length;
}

void AppendEscaped(absl::string_view text, std::string& out) {
  while (!text.empty()) {
    const char c = text[0];
    size_t length = 1;
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c >= ' ' && c < '\x7f') {
      out += c;
    } else if (const size_t sequence = MultiByteLength(text); sequence > 0) {
      out.append(text.data(), sequence);
      length = sequence;
    } else {
      absl::StrAppendFormat(&out, "\\x%02x", static_cast<unsigned char>(c));
    }
    text.remove_prefix(length);
  }
}

void AppendValue(absl::string_view value, std::string& out) {
  const bool cut = value.size() > kMaxValue;
  if (cut) value = value.substr(0, kMaxValue);
  if (!cut && !NeedsQuotes(value)) {
    absl::StrAppend(&out, value);
    return;
  }
  out += '"';
  AppendEscaped(value, out);
  out += cut ? "...\"" : "\"";
}

}  // namespace

std::optional<LogLevel> ParseLogLevel(absl::string_view text) {
  for (const LogLevel level :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError}) {
    if (LogLevelName(level) == text) return level;
  }
  return std::nullopt;
}

absl::string_view LogLevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "error";
}

LogField::LogField(absl::string_view key, double value) : key_(key), value_(absl::StrCat(value)) {}
LogField::LogField(absl::string_view key, absl::Duration value)
    : key_(key), value_(absl::FormatDuration(value)) {}
LogField::LogField(absl::string_view key, absl::Time value)
    : key_(key), value_(absl::FormatTime(absl::RFC3339_sec, value, absl::UTCTimeZone())) {}
LogField::LogField(absl::string_view key, const absl::Status& value)
    : key_(key), value_(absl::StatusCodeToString(value.code())) {
  if (!value.message().empty()) absl::StrAppend(&value_, ": ", value.message());
  if (const Reason reason = ReasonOf(value); reason != Reason::kNone) {
    absl::StrAppend(&value_, " [", NameOf(reason), "]");
  }
  if (const std::string remedy = RemedyOf(value); !remedy.empty()) {
    absl::StrAppend(&value_, "; to do: ", remedy);
  }
}

void InitLog(absl::string_view program, LogLevel level) {
  auto* state = new State(MakeState(program, level));
  state->previous = current.load(std::memory_order_acquire);
  current.store(state, std::memory_order_release);
}

std::string FormatLogLine(LogLevel level, absl::string_view text,
                          std::initializer_list<LogField> fields) {
  std::string line = absl::StrCat(LogLevelName(level), " ");
  AppendEscaped(text, line);
  for (const LogField& field : fields) {
    absl::StrAppend(&line, " ", field.key(), "=");
    AppendValue(field.value(), line);
  }
  return line;
}

namespace {

bool IsShown(LogLevel level) { return Current().logger->should_log(ToSpdlog(level)); }

void Write(LogLevel level, std::string line) {
  const State& state = Current();
  if (state.journal) line.insert(0, std::string(JournalPrefix(level)));
  state.logger->log(ToSpdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace

void Log(LogLevel level, absl::string_view text, std::initializer_list<LogField> fields) {
  if (IsShown(level)) Write(level, FormatLogLine(level, text, fields));
}

void LogSpan(LogLevel level, absl::string_view text, const std::optional<Span>& span,
             absl::Time start, absl::Duration duration, std::initializer_list<LogField> fields) {
  if (!IsShown(level)) return;
  std::string line = FormatLogLine(level, text, fields);
  absl::StrAppend(&line,
                  " start=", absl::FormatTime("%E4Y-%m-%dT%H:%M:%E6SZ", start, absl::UTCTimeZone()),
                  absl::StrFormat(" duration=%.6f", absl::ToDoubleSeconds(duration)));
  if (span) {
    absl::StrAppend(&line, " trace_id=", span->trace_id, " span_id=", span->span_id);
    if (!span->parent_id.empty()) absl::StrAppend(&line, " parent_id=", span->parent_id);
  }
  Write(level, std::move(line));
}

}  // namespace hostq
