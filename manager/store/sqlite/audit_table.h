#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/sqlite/database.h"
#include "manager/domain/audit.h"
#include "manager/store/store.h"

namespace hostq::manager {

// The tables audit and audit_chain, for the connection that writes. Not thread-safe; the database
// must outlive it, and its statements be destroyed first.
class AuditWriter {
 public:
  // Prepares, and reads where the chain ends.
  absl::Status Open(sqlite::Database& database);

  // Within a transaction: Begin once, Append for each entry, End before the commit; Committed after
  // it. Without the last, nothing has happened.
  void Begin() { end_ = chain_; }
  absl::Status Append(const AuditEntry& entry);
  absl::Status End();
  void Committed() { chain_ = end_; }

  // See Store.
  absl::StatusOr<int> Delete(absl::Time time, int limit, absl::Time now);

 private:
  absl::StatusOr<std::vector<AuditEntry>> Oldest(absl::Time time, int limit);

  sqlite::Database* database_ = nullptr;
  sqlite::Statement insert_, set_chain_, oldest_, delete_;
  AuditChain chain_;
  AuditChain end_;  // with the transaction that is under way
};

// The same for a connection that reads.
class AuditReader {
 public:
  absl::Status Open(sqlite::Database& database);
  absl::StatusOr<AuditChain> Chain();
  absl::StatusOr<std::vector<AuditEntry>> List(const AuditQuery& query);

 private:
  sqlite::Statement chain_, list_, list_newest_;
};

}  // namespace hostq::manager
