#include "common/base/trace_context.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace hostq {
namespace {

constexpr size_t kLength = 55;  // "VV-TRACE-SPAN-FF"
constexpr size_t kTraceAt = 3, kTraceLength = 32;
constexpr size_t kSpanAt = 36, kSpanLength = 16;
constexpr size_t kFlagsAt = 53;

bool IsHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c)) || (c >= 'a' && c <= 'f');
  });
}

bool AllZeros(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '0'; });
}

// FNV-1a, mixed as in SplitMix64: ids have to differ, not to be secret, and to be the same in every
// program.
std::string HexHash(absl::string_view text, uint64_t seed) {
  uint64_t hash = 0xcbf29ce484222325 ^ seed;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111eb;
  hash ^= hash >> 31;
  return absl::StrCat(absl::Hex(hash == 0 ? 1 : hash, absl::kZeroPad16));
}

std::string SpanIdOf(absl::string_view name) { return HexHash(name, 0); }

}  // namespace

std::string Span::traceparent() const {
  return absl::StrCat("00-", trace_id, "-", span_id, "-", flags);
}

bool IsTraceparent(absl::string_view text) {
  if (text.size() < kLength || text[2] != '-' || text[kSpanAt - 1] != '-' ||
      text[kFlagsAt - 1] != '-') {
    return false;
  }
  const absl::string_view version = text.substr(0, 2);
  if (!IsHex(version) || version == "ff") return false;
  if (version == "00" ? text.size() != kLength : text.size() > kLength && text[kLength] != '-') {
    return false;
  }
  const absl::string_view trace = text.substr(kTraceAt, kTraceLength);
  const absl::string_view span = text.substr(kSpanAt, kSpanLength);
  return IsHex(trace) && IsHex(span) && IsHex(text.substr(kFlagsAt, 2)) && !AllZeros(trace) &&
         !AllZeros(span);
}

std::optional<Span> SpanWithin(absl::string_view traceparent, absl::string_view name) {
  if (!IsTraceparent(traceparent)) return std::nullopt;
  Span span;
  span.trace_id = std::string(traceparent.substr(kTraceAt, kTraceLength));
  span.span_id = SpanIdOf(name);
  span.parent_id = std::string(traceparent.substr(kSpanAt, kSpanLength));
  span.flags = std::string(traceparent.substr(kFlagsAt, 2));
  if (span.parent_id == span.span_id) span.parent_id.clear();
  return span;
}

std::string RootTraceparent(absl::string_view name) {
  return Span{absl::StrCat(HexHash(name, 1), HexHash(name, 2)), SpanIdOf(name), "", "01"}
      .traceparent();
}

}  // namespace hostq
