#pragma once

#include <functional>
#include <istream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hostq/v1/audit_service.pb.h"
#include "manager/audit/chain.h"
#include "manager/cli/client.h"

// The audit as the manager or a file has it, and whether it is as it was written. What the manager
// says of it is not believed: every hash is computed here.
namespace hostq::cli {

// Errors: DATA_LOSS (AUDIT_BROKEN): a hash that is none.
absl::StatusOr<manager::AuditEntry> FromProto(const v1::AuditEntry& entry);
absl::StatusOr<manager::ChainPoint> FromProto(const v1::AuditPoint& point);
// "4711:HASH", and back. Errors: INVALID_ARGUMENT, DATA_LOSS (AUDIT_BROKEN): it is something else.
std::string PointText(const v1::AuditPoint& point);
absl::StatusOr<manager::ChainPoint> ParsePoint(absl::string_view text);

// Takes one entry after the other; an error ends the reading.
using TakeEntry = std::function<absl::Status(const v1::AuditEntry&)>;
// All entries after `since`, as the manager has them, and then its head: the last of them, unless
// those behind them are missing. Blocks. Errors: those of the calls, and of `take`.
absl::StatusOr<v1::AuditHead> ReadManager(Client& client, int64_t since, const TakeEntry& take);

// What was exported: one document a line, the last one the head. Errors: DATA_LOSS (AUDIT_BROKEN)
// if it is something else; the message names the line.
absl::StatusOr<v1::AuditHead> ReadHead(std::istream& file);
absl::Status ReadEntries(std::istream& file, const TakeEntry& take);

// What came of a verification.
struct Verification {
  v1::AuditHead chain;  // as it was given
  int64_t entries = 0;
  std::vector<manager::ChainProblem> problems;
  int64_t more = 0;  // problems
};
std::string RenderVerification(const Verification& verification);
std::string RenderVerificationJson(const Verification& verification);

}  // namespace hostq::cli
