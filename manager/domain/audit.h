#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/reason.h"
#include "manager/domain/origin.h"

namespace hostq::manager {

// One line of the audit: what somebody did, or was refused. Plain data, and never a secret.
struct AuditEntry {
  // Without gaps, beginning with 1. Given by the store.
  int64_t sequence = 0;
  absl::Time time;  // of the last one, if several are gathered
  // As in Origin.
  std::string actor;
  std::string source;
  std::string act;
  std::string target;
  std::string request_id;
  Reason outcome = Reason::kNone;  // kNone: done. Otherwise why it was refused
  std::string message;             // of the refusal
  // What was changed as it was and as it is, in JSON. Either may be empty.
  std::string before;
  std::string after;
  int64_t count = 1;  // refusals of one sort that are gathered here (manager/audit/refusals.h)
  // 32 bytes, over this entry and the hash of the one before (manager/audit/chain.h). Given by the
  // store.
  std::string hash;
};

// A place in the chain of entries.
struct ChainPoint {
  int64_t sequence = 0;
  std::string hash = std::string(32, '\0');
  bool operator==(const ChainPoint&) const = default;
};

// What is left of the audit: what comes after `beginning` (the last entry that was deleted because
// of its age; none: the default) up to `head`.
struct AuditChain {
  ChainPoint beginning;
  ChainPoint head;
};

// What came of `origin`'s act: of a refusal the reason and the message, otherwise `before` and
// `after`. Every text is valid UTF-8 and at most so long as one entry may be: kMaxAuditJson for
// `before` and `after`. Pure.
AuditEntry MakeAuditEntry(const Origin& origin, const absl::Status& outcome, absl::Time time,
                          absl::string_view before = "", absl::string_view after = "");

// That the manager has deleted so many of the oldest entries because of their age.
AuditEntry MakeDeletionEntry(int entries, absl::Time time);

inline constexpr size_t kMaxAuditJson = 4 << 10;

// `text` with '?' for what is not UTF-8 and for control characters; at most `limit` bytes, cut
// between characters and then with "..." at the end.
std::string AuditText(absl::string_view text, size_t limit);

// `text` in quotes, escaped, as JSON has it.
std::string JsonText(absl::string_view text);

}  // namespace hostq::manager
