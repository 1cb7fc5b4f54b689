#include "manager/domain/audit.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"

namespace hostq::manager {
namespace {

constexpr size_t kMaxName = 200;  // actor, source, act, request_id
constexpr size_t kMaxTarget = 320;
constexpr size_t kMaxMessage = 1'000;

// How many bytes the character at the front of `text` has; 0: it is none.
size_t CharacterAt(absl::string_view text) {
  const auto at = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = at(0);
  if (first < 0x80) return 1;
  const size_t size = first >= 0xc2 && first < 0xe0   ? 2
                      : first >= 0xe0 && first < 0xf0 ? 3
                      : first >= 0xf0 && first < 0xf5 ? 4
                                                      : 0;
  if (size == 0 || text.size() < size) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((at(i) & 0xc0) != 0x80) return 0;
  }
  // Overlong forms, halves of UTF-16 pairs, and what is beyond the last character.
  const unsigned char second = at(1);
  if (first == 0xe0 && second < 0xa0) return 0;
  if (first == 0xed && second >= 0xa0) return 0;
  if (first == 0xf0 && second < 0x90) return 0;
  if (first == 0xf4 && second >= 0x90) return 0;
  return size;
}

}  // namespace

std::string AuditText(absl::string_view text, size_t limit) {
  const auto plain_ascii = [](char c) { return c >= 0x20 && c < 0x7f; };
  if (text.size() <= limit && std::all_of(text.begin(), text.end(), plain_ascii)) {
    return std::string(text);
  }
  std::string out;
  size_t fits = 0;  // of `out`, with room for the dots
  while (!text.empty()) {
    const size_t size = CharacterAt(text);
    const bool plain = size > 1 || (size == 1 && text[0] >= 0x20 && text[0] != 0x7f);
    const absl::string_view next = plain ? text.substr(0, size) : absl::string_view("?");
    if (out.size() + next.size() > limit) {
      out.resize(fits);
      return absl::StrCat(out, "...");
    }
    absl::StrAppend(&out, next);
    if (out.size() + 3 <= limit) fits = out.size();
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return out;
}

std::string JsonText(absl::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      absl::StrAppend(&out, "\\", absl::string_view(&c, 1));
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppend(&out, "\\u", absl::Hex(static_cast<unsigned char>(c), absl::kZeroPad4));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

AuditEntry MakeAuditEntry(const Origin& origin, const absl::Status& outcome, absl::Time time,
                          absl::string_view before, absl::string_view after) {
  AuditEntry entry;
  entry.time = time;
  entry.actor = AuditText(origin.actor, kMaxName);
  entry.source = AuditText(origin.source, kMaxName);
  entry.act = AuditText(origin.act, kMaxName);
  entry.target = AuditText(origin.target, kMaxTarget);
  entry.request_id = AuditText(origin.request_id, kMaxName);
  if (outcome.ok()) {
    entry.before = AuditText(before, kMaxAuditJson);
    entry.after = AuditText(after, kMaxAuditJson);
    return entry;
  }
  const Reason reason = ReasonOf(outcome);
  entry.outcome = reason == Reason::kNone ? Reason::kInternal : reason;
  entry.message = AuditText(outcome.message(), kMaxMessage);
  return entry;
}

AuditEntry MakeDeletionEntry(int entries, absl::Time time) {
  Origin origin("manager");
  origin.act = "audit.retention";
  return MakeAuditEntry(origin, absl::OkStatus(), time, "",
                        absl::StrCat("{\"deleted_entries\":", entries, "}"));
}

}  // namespace hostq::manager
