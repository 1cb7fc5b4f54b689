#include "manager/store/sqlite/audit_table.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "manager/audit/chain.h"
#include "manager/store/sqlite/rows.h"

namespace hostq::manager {
namespace {

using sqlite::Blob;
using sqlite::Database;
using sqlite::Statement;

constexpr absl::string_view kReadChain =
    "SELECT begin_sequence, begin_hash, head_sequence, head_hash FROM audit_chain WHERE id=1";

absl::StatusOr<AuditChain> ReadChain(Statement& statement) {
  AuditChain chain;
  const absl::StatusOr<bool> row = statement.Step();
  if (row.ok() && *row) {
    chain.beginning = {statement.Int64(0), std::string(statement.Blob(1))};
    chain.head = {statement.Int64(2), std::string(statement.Blob(3))};
  }
  statement.Reset();
  if (!row.ok()) return row.status();
  return chain;
}

// The rows of a bound statement of kAuditColumns. Resets it.
absl::StatusOr<std::vector<AuditEntry>> Entries(Statement& rows) {
  std::vector<AuditEntry> entries;
  for (;;) {
    const absl::StatusOr<bool> row = rows.Step();
    if (!row.ok() || !*row) {
      rows.Reset();
      if (!row.ok()) return row.status();
      return entries;
    }
    entries.push_back(AuditEntryAt(rows));
  }
}

}  // namespace

absl::Status AuditWriter::Open(Database& database) {
  database_ = &database;
  HOSTQ_ASSIGN_OR_RETURN(
      insert_, database.Prepare(absl::StrCat("INSERT INTO audit(", kAuditColumns,
                                             ") VALUES "
                                             "(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)")));
  HOSTQ_ASSIGN_OR_RETURN(
      set_chain_,
      database.Prepare("INSERT OR REPLACE INTO audit_chain(id, begin_sequence, begin_hash, "
                       "head_sequence, head_hash) VALUES (1,?1,?2,?3,?4)"));
  HOSTQ_ASSIGN_OR_RETURN(oldest_,
                         database.Prepare(absl::StrCat("SELECT ", kAuditColumns,
                                                       " FROM audit ORDER BY sequence LIMIT ?1")));
  HOSTQ_ASSIGN_OR_RETURN(delete_, database.Prepare("DELETE FROM audit WHERE sequence<=?1"));
  HOSTQ_ASSIGN_OR_RETURN(Statement chain, database.Prepare(kReadChain));
  HOSTQ_ASSIGN_OR_RETURN(chain_, ReadChain(chain));
  // Rows behind the head are not ours, and must not keep us from writing: they stay, and whoever
  // verifies the chain finds them.
  HOSTQ_ASSIGN_OR_RETURN(const int64_t last,
                         database.QueryInt64("SELECT coalesce(max(sequence),0) FROM audit"));
  chain_.head.sequence = std::max(chain_.head.sequence, last);
  return absl::OkStatus();
}

absl::Status AuditWriter::Append(const AuditEntry& entry) {
  AuditEntry next = entry;
  next.sequence = end_.head.sequence + 1;
  next.hash = ChainHash(end_.head.hash, next);
  HOSTQ_RETURN_IF_ERROR(insert_.Run(next.sequence, absl::ToUnixMicros(next.time), next.actor,
                                    next.source, next.act, next.target, next.request_id,
                                    next.outcome, next.message, next.before, next.after, next.count,
                                    Blob(next.hash)));
  end_.head = {next.sequence, std::move(next.hash)};
  return absl::OkStatus();
}

absl::Status AuditWriter::End() {
  if (end_.head == chain_.head && end_.beginning == chain_.beginning) return absl::OkStatus();
  return set_chain_.Run(end_.beginning.sequence, Blob(end_.beginning.hash), end_.head.sequence,
                        Blob(end_.head.hash));
}

absl::StatusOr<std::vector<AuditEntry>> AuditWriter::Oldest(absl::Time time, int limit) {
  oldest_.BindAll(limit);
  HOSTQ_ASSIGN_OR_RETURN(std::vector<AuditEntry> oldest, Entries(oldest_));
  const auto young = std::find_if(oldest.begin(), oldest.end(),
                                  [&](const AuditEntry& entry) { return entry.time >= time; });
  oldest.erase(young, oldest.end());
  return oldest;
}

absl::StatusOr<int> AuditWriter::Delete(absl::Time time, int limit, absl::Time now) {
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<AuditEntry> oldest, Oldest(time, limit));
  if (oldest.empty()) return 0;
  const ChainPoint last = {oldest.back().sequence, oldest.back().hash};
  // Traces of what was done to them would be deleted with them.
  ChainVerifier verifier(chain_.beginning);
  for (const AuditEntry& entry : oldest) verifier.Add(entry);
  verifier.Finish(last);
  if (!verifier.problems().empty()) {
    return MakeError(absl::StatusCode::kDataLoss, Reason::kAuditBroken,
                     absl::StrCat("old entries of the audit are not deleted: ",
                                  verifier.problems().front().message));
  }
  HOSTQ_ASSIGN_OR_RETURN(sqlite::Transaction transaction, sqlite::Transaction::Begin(*database_));
  Begin();
  end_.beginning = last;
  HOSTQ_RETURN_IF_ERROR(delete_.Run(last.sequence));
  HOSTQ_RETURN_IF_ERROR(Append(MakeDeletionEntry(static_cast<int>(oldest.size()), now)));
  HOSTQ_RETURN_IF_ERROR(End());
  HOSTQ_RETURN_IF_ERROR(transaction.Commit());
  Committed();
  return static_cast<int>(oldest.size());
}

absl::Status AuditReader::Open(Database& database) {
  // `act` may be the last part of a method.
  const std::string select = absl::StrCat(
      "SELECT ", kAuditColumns,
      " FROM audit WHERE sequence>?1 AND sequence<?2 AND (?3='' OR actor=?3) "
      "AND (?4='' OR act=?4 OR substr(act, -length(?4)-1)='.'||?4) AND (?5='' OR target=?5) "
      "AND (?6=0 OR outcome<>0) AND time>=?7 ORDER BY sequence");
  HOSTQ_ASSIGN_OR_RETURN(chain_, database.Prepare(kReadChain));
  HOSTQ_ASSIGN_OR_RETURN(list_, database.Prepare(absl::StrCat(select, " LIMIT ?8")));
  HOSTQ_ASSIGN_OR_RETURN(list_newest_, database.Prepare(absl::StrCat(select, " DESC LIMIT ?8")));
  return absl::OkStatus();
}

absl::StatusOr<AuditChain> AuditReader::Chain() { return ReadChain(chain_); }

absl::StatusOr<std::vector<AuditEntry>> AuditReader::List(const AuditQuery& query) {
  Statement& list = query.newest_first ? list_newest_ : list_;
  list.BindAll(query.after, query.before, query.actor, query.act, query.target, query.refused_only,
               absl::ToUnixMicros(query.start_time), query.limit);
  return Entries(list);
}

}  // namespace hostq::manager
