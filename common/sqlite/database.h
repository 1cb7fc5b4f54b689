#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

struct sqlite3;
struct sqlite3_stmt;

namespace hostq::sqlite {

// What went wrong, as far as somebody acts on the difference.
enum class ErrorKind {
  kNone,        // not an error of SQLite
  kFull,        // disk or quota full             status RESOURCE_EXHAUSTED
  kIo,          // the disk failed                status UNAVAILABLE
  kReadOnly,    // file, mount or connection      status FAILED_PRECONDITION
  kCannotOpen,  // missing, or no permission      status FAILED_PRECONDITION
  kCorrupt,     // damaged, or not a database     status DATA_LOSS
  kBusy,        // another connection holds it    status ABORTED
  kUnique,      // UNIQUE or PRIMARY KEY          status ALREADY_EXISTS
  kConstraint,  // NOT NULL, CHECK, FOREIGN KEY   status FAILED_PRECONDITION
  kTooNew,      // schema newer than the program  status FAILED_PRECONDITION
  kOther,       //                                status INTERNAL
};
ErrorKind KindOf(const absl::Status& status);
// SQLite's extended result code; 0 if the status is not an error of SQLite.
int ExtendedCodeOf(const absl::Status& status);

struct OpenOptions {
  bool read_only = false;
  // Made if it does not exist; its directory must.
  bool create = true;
  // Permissions of a new file, which -wal and -shm then inherit.
  unsigned mode = 0640;
  // No other connection may open the database, which saves the shared memory file.
  bool exclusive = false;
  // How long a statement waits for another connection's lock.
  absl::Duration busy_timeout = absl::Seconds(5);
  // Pages of 4 KiB in the log at which a commit also checkpoints: 0 never (then call Checkpoint).
  int autocheckpoint_pages = 1000;
  int cache_kib = 2048;
  // Name of a registered VFS, for tests that lose power; null: the system's.
  const char* vfs = nullptr;
};

class Statement;

// One connection: write-ahead log, synchronous=FULL (a commit that returned OK survives power
// loss), foreign keys enforced. Belongs to one thread at a time, with its statements, which must be
// destroyed before it. Must not be carried through fork().
class Database {
 public:
  // Writes and syncs once more what a log that is found holds: the process before this one may have
  // died after a sync that failed. Blocks on the disk. Errors: see ErrorKind; the message names the
  // file.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path,
                                                        const OpenOptions& options = {});
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Compiles one statement, once, for repeated use.
  absl::StatusOr<Statement> Prepare(absl::string_view sql);
  // Runs a script of any number of statements; rows are dropped.
  absl::Status Execute(const std::string& script);
  // The first column of the first row, for a PRAGMA or a count; NOT_FOUND without row.
  absl::StatusOr<int64_t> QueryInt64(absl::string_view sql);

  // Rows changed by the last INSERT, UPDATE or DELETE.
  int64_t Changes() const;
  int64_t LastInsertRowId() const;
  bool InTransaction() const;
  // Moves the log into the database; `truncate` also empties the log's file.
  absl::Status Checkpoint(bool truncate);
  // DATA_LOSS if the file is damaged. Reads everything.
  absl::Status QuickCheck();
  const std::string& path() const { return path_; }
  // For what is not wrapped.
  sqlite3* handle() { return db_; }

 private:
  friend class Transaction;
  Database(std::string path, sqlite3* db) : path_(std::move(path)), db_(db) {}
  absl::Status Configure(const OpenOptions& options);
  absl::Status SecureLog();
  absl::Status RunPrepared(sqlite3_stmt* statement);

  const std::string path_;
  sqlite3* const db_;
  sqlite3_stmt* begin_ = nullptr;
  sqlite3_stmt* commit_ = nullptr;
  sqlite3_stmt* rollback_ = nullptr;
};

// A compiled statement. Parameters count from 1, columns from 0.
//
//   HOSTQ_RETURN_IF_ERROR(insert_.Run(id, name, blob));
//
//   select_.BindAll(id);
//   HOSTQ_ASSIGN_OR_RETURN(bool row, select_.Step());
//   ... select_.Int64(0), select_.Text(1) ...
//   select_.Reset();
class Statement {
 public:
  Statement() = default;
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;

  // Text and blobs are not copied: they must stay as they are until the statement has been reset.
  // (A temporary std::string is therefore refused by the compiler; Run takes them.) A failure
  // (out of memory, longer than SQLite's limit) shows in the next Step. An index that the statement
  // does not have ends the program.
  void BindInt64(int index, int64_t value);
  void BindDouble(int index, double value);
  void BindText(int index, absl::string_view value);
  void BindText(int index, std::string&& value) = delete;
  void BindBlob(int index, absl::string_view value);
  void BindBlob(int index, std::string&& value) = delete;
  void BindNull(int index);

  // True: there is a row, readable until the next Step or Reset. False: done.
  absl::StatusOr<bool> Step();
  // Ready to be bound and stepped again. A read transaction lasts until this.
  void Reset();
  // Steps to the end and resets, also after an error.
  absl::Status Execute();

  // Binds all parameters: integers and enums by value, strings as text, Blob as blob, nullptr as
  // NULL. What the arguments refer to must stay until the statement has been reset.
  template <typename... Args>
  void BindAll(const Args&... args) {
    int index = 0;
    (BindOne(++index, args), ...);
    CheckBound(index);
  }
  // Binds all parameters and executes. Temporaries are fine.
  template <typename... Args>
  absl::Status Run(const Args&... args) {
    BindAll(args...);
    return Execute();
  }

  // Views are valid until the next Step or Reset. Of NULL: 0, empty.
  int64_t Int64(int column) const;
  double Double(int column) const;
  absl::string_view Text(int column) const;
  absl::string_view Blob(int column) const;
  bool IsNull(int column) const;

 private:
  friend class Database;
  Statement(Database* database, sqlite3_stmt* statement)
      : database_(database), statement_(statement) {}
  template <typename T>
  void BindOne(int index, const T& value);
  void CheckBound(int count) const;
  void Bound(int code);

  Database* database_ = nullptr;
  sqlite3_stmt* statement_ = nullptr;
  int bind_error_ = 0;
};

// Marks bytes to be bound as a blob by BindAll and Run.
struct Blob {
  explicit Blob(absl::string_view b) : bytes(b) {}
  absl::string_view bytes;
};

// BEGIN IMMEDIATE; rolled back by the destructor unless committed. The statements stepped inside
// must have been reset before Commit.
class Transaction {
 public:
  // ABORTED with kBusy if another connection writes for longer than the busy timeout.
  static absl::StatusOr<Transaction> Begin(Database& database);
  ~Transaction();
  Transaction(Transaction&& other) noexcept : database_(other.database_) {
    other.database_ = nullptr;
  }
  Transaction& operator=(Transaction&&) = delete;

  // OK only after the log is on the disk. On failure everything is rolled back.
  absl::Status Commit();

 private:
  explicit Transaction(Database* database) : database_(database) {}
  Database* database_;
};

// Brings the schema to `scripts.size()`: PRAGMA user_version says how many scripts have run; each
// runs in its own transaction, together with its number. Scripts are never changed once released.
// FAILED_PRECONDITION with kTooNew: the file was written by a newer program; nothing is changed.
absl::Status Migrate(Database& database, absl::Span<const char* const> scripts);

template <typename T>
void Statement::BindOne(int index, const T& value) {
  if constexpr (std::is_same_v<T, sqlite::Blob>) {
    BindBlob(index, value.bytes);
  } else if constexpr (std::is_same_v<T, std::nullptr_t>) {
    BindNull(index);
  } else if constexpr (std::is_floating_point_v<T>) {
    BindDouble(index, value);
  } else if constexpr (std::is_enum_v<T> || std::is_integral_v<T>) {
    BindInt64(index, static_cast<int64_t>(value));
  } else {
    BindText(index, absl::string_view(value));
  }
}

}  // namespace hostq::sqlite
