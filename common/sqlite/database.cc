#include "common/sqlite/database.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"

namespace hostq::sqlite {
namespace {

constexpr absl::string_view kPayload = "hostq/sqlite";
// Stands in the payload where SQLite has no code of its own; above every extended result code.
constexpr int kTooNewCode = 1 << 24;

ErrorKind KindOfCode(int extended) {
  switch (extended) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
      return ErrorKind::kUnique;
    case kTooNewCode:
      return ErrorKind::kTooNew;
    default:
      break;
  }
  switch (extended & 0xff) {
    case SQLITE_OK:
      return ErrorKind::kNone;
    case SQLITE_FULL:
      return ErrorKind::kFull;
    case SQLITE_IOERR:
      return ErrorKind::kIo;
    case SQLITE_READONLY:
      return ErrorKind::kReadOnly;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return ErrorKind::kCannotOpen;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorKind::kCorrupt;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ErrorKind::kBusy;
    case SQLITE_CONSTRAINT:
      return ErrorKind::kConstraint;
    default:
      return ErrorKind::kOther;
  }
}

absl::StatusCode StatusCodeOf(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kNone:
      return absl::StatusCode::kOk;
    case ErrorKind::kFull:
      return absl::StatusCode::kResourceExhausted;
    case ErrorKind::kIo:
      return absl::StatusCode::kUnavailable;
    case ErrorKind::kReadOnly:
    case ErrorKind::kCannotOpen:
    case ErrorKind::kConstraint:
    case ErrorKind::kTooNew:
      return absl::StatusCode::kFailedPrecondition;
    case ErrorKind::kCorrupt:
      return absl::StatusCode::kDataLoss;
    case ErrorKind::kBusy:
      return absl::StatusCode::kAborted;
    case ErrorKind::kUnique:
      return absl::StatusCode::kAlreadyExists;
    case ErrorKind::kOther:
      return absl::StatusCode::kInternal;
  }
  return absl::StatusCode::kInternal;
}

absl::Status CodeError(int extended, absl::string_view message) {
  absl::Status status(StatusCodeOf(KindOfCode(extended)), message);
  status.SetPayload(kPayload, absl::Cord(absl::StrCat(extended)));
  return status;
}

// `what` failed with `code`; SQLite's own text and, for the disk's errors, the errno follow.
absl::Status Error(sqlite3* db, int code, absl::string_view path, absl::string_view what) {
  const int extended = db == nullptr ? code : std::max(sqlite3_extended_errcode(db), code);
  std::string text = absl::StrCat(path, ": ", what, ": ",
                                  db == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(db));
  const int number = db == nullptr ? 0 : sqlite3_system_errno(db);
  const ErrorKind kind = KindOfCode(extended);
  if (number != 0 && (kind == ErrorKind::kIo || kind == ErrorKind::kCannotOpen)) {
    absl::StrAppend(&text, " (", strerror(number), ")");
  }
  return CodeError(extended, text);
}

int CodeOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayload);
  int code = 0;
  if (!payload || !absl::SimpleAtoi(std::string(*payload), &code)) return 0;
  return code;
}

// SQLite takes 0644 for a new file; the journal and the store are nobody else's business. One that
// is there is not opened: with its descriptor all locks of this process on it would go, of SQLite's
// other connections too (fcntl(2), "Advisory record locking"), and whoever looks into the database
// would take itself for the last and remove the log that is being written.
absl::Status CreateFile(const std::string& path, unsigned mode) {
  const int fd =
      open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, static_cast<mode_t>(mode));
  if (fd < 0 && errno == EEXIST &&
      faccessat(AT_FDCWD, path.c_str(), R_OK | W_OK, AT_EACCESS) == 0) {
    return absl::OkStatus();
  }
  if (fd < 0) {
    const int number = errno;
    absl::Status status = CodeError(
        number == EROFS ? SQLITE_READONLY : (number == ENOSPC ? SQLITE_FULL : SQLITE_CANTOPEN),
        absl::StrCat(path, ": open: ", strerror(number)));
    return status;
  }
  close(fd);
  return absl::OkStatus();
}

}  // namespace

ErrorKind KindOf(const absl::Status& status) { return KindOfCode(CodeOf(status)); }

int ExtendedCodeOf(const absl::Status& status) {
  const int code = CodeOf(status);
  return code == kTooNewCode ? 0 : code;
}

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path,
                                                         const OpenOptions& options) {
  if (options.create && !options.read_only && options.vfs == nullptr) {
    HOSTQ_RETURN_IF_ERROR(CreateFile(path, options.mode));
  }
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  flags |= options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  if (options.create && !options.read_only) flags |= SQLITE_OPEN_CREATE;
  sqlite3* db = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &db, flags, options.vfs);
  std::unique_ptr<Database> database(new Database(path, db));
  if (code != SQLITE_OK) return Error(db, code, path, "open");
  HOSTQ_RETURN_IF_ERROR(database->Configure(options));
  return database;
}

absl::Status Database::Configure(const OpenOptions& options) {
  sqlite3_busy_timeout(db_, static_cast<int>(absl::ToInt64Milliseconds(options.busy_timeout)));
  HOSTQ_RETURN_IF_ERROR(Execute(absl::StrCat("PRAGMA cache_size=-", options.cache_kib,
                                             ";PRAGMA foreign_keys=ON;PRAGMA temp_store=MEMORY;")));
  if (options.read_only) {
    return QueryInt64("PRAGMA schema_version").status();  // the first read finds a damaged header
  }
  if (options.exclusive) HOSTQ_RETURN_IF_ERROR(Execute("PRAGMA locking_mode=EXCLUSIVE"));
  {
    HOSTQ_ASSIGN_OR_RETURN(Statement mode, Prepare("PRAGMA journal_mode=WAL"));
    HOSTQ_ASSIGN_OR_RETURN(const bool row, mode.Step());
    if (!row || mode.Text(0) != "wal") {
      return CodeError(SQLITE_CANTOPEN,
                       absl::StrCat(path_,
                                    ": a write-ahead log is not possible on this file "
                                    "system (journal mode stays ",
                                    row ? mode.Text(0) : "unknown", ")"));
    }
  }
  HOSTQ_RETURN_IF_ERROR(Execute(absl::StrCat(
      "PRAGMA synchronous=FULL;PRAGMA wal_autocheckpoint=", options.autocheckpoint_pages,
      ";PRAGMA journal_size_limit=67108864;")));
  const std::pair<const char*, sqlite3_stmt**> fixed[] = {
      {"BEGIN IMMEDIATE", &begin_}, {"COMMIT", &commit_}, {"ROLLBACK", &rollback_}};
  for (const auto& [sql, statement] : fixed) {
    const int code =
        sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, nullptr);
    if (code != SQLITE_OK) return Error(db_, code, path_, sql);
  }
  return SecureLog();
}

// Writes what the log has once more, as it is, and syncs it. After a sync that failed, the kernel
// may go on showing what the disk does not have, and no later sync would write it: the commits that
// are appended behind it would be lost with it.
absl::Status Database::SecureLog() {
  constexpr sqlite3_int64 kPart = 64 << 10;  // SQLite's own writes are never larger
  // Reads the log, and keeps others from writing to it.
  HOSTQ_ASSIGN_OR_RETURN(const Transaction transaction, Transaction::Begin(*this));
  sqlite3_file* log = nullptr;
  sqlite3_int64 size = 0;
  int code = sqlite3_file_control(db_, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
  if (code != SQLITE_OK || log == nullptr || log->pMethods == nullptr) return absl::OkStatus();
  code = log->pMethods->xFileSize(log, &size);
  std::vector<char> bytes(static_cast<size_t>(std::min(size, kPart)));
  for (sqlite3_int64 at = 0; code == SQLITE_OK && at < size;) {
    const auto part = static_cast<int>(std::min(size - at, kPart));
    code = log->pMethods->xRead(log, bytes.data(), part, at);
    if (code == SQLITE_OK) code = log->pMethods->xWrite(log, bytes.data(), part, at);
    at += part;
  }
  if (code == SQLITE_OK && size > 0) code = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
  if (code != SQLITE_OK) return Error(nullptr, code, path_, "write the log again");
  return absl::OkStatus();
}

Database::~Database() {
  sqlite3_finalize(begin_);
  sqlite3_finalize(commit_);
  sqlite3_finalize(rollback_);
  sqlite3_close_v2(db_);
}

absl::StatusOr<Statement> Database::Prepare(absl::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return Error(db_, code, path_, absl::StrCat("prepare '", sql, "'"));
  HOSTQ_CHECK(statement != nullptr);
  return Statement(this, statement);
}

absl::Status Database::Execute(const std::string& script) {
  const int code = sqlite3_exec(db_, script.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) {
    return Error(db_, code, path_, absl::StrCat("run '", script.substr(0, 60), "'"));
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> Database::QueryInt64(absl::string_view sql) {
  HOSTQ_ASSIGN_OR_RETURN(Statement statement, Prepare(sql));
  HOSTQ_ASSIGN_OR_RETURN(const bool row, statement.Step());
  if (!row) return absl::NotFoundError(absl::StrCat(path_, ": no row for '", sql, "'"));
  return statement.Int64(0);
}

int64_t Database::Changes() const { return sqlite3_changes64(db_); }
int64_t Database::LastInsertRowId() const { return sqlite3_last_insert_rowid(db_); }
bool Database::InTransaction() const { return sqlite3_get_autocommit(db_) == 0; }

absl::Status Database::Checkpoint(bool truncate) {
  const int code = sqlite3_wal_checkpoint_v2(
      db_, nullptr, truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE, nullptr,
      nullptr);
  if (code != SQLITE_OK) return Error(db_, code, path_, "checkpoint");
  return absl::OkStatus();
}

absl::Status Database::QuickCheck() {
  HOSTQ_ASSIGN_OR_RETURN(Statement check, Prepare("PRAGMA quick_check(1)"));
  HOSTQ_ASSIGN_OR_RETURN(const bool row, check.Step());
  if (row && check.Text(0) == "ok") return absl::OkStatus();
  return CodeError(SQLITE_CORRUPT, absl::StrCat(path_, ": damaged: ", row ? check.Text(0) : ""));
}

absl::Status Database::RunPrepared(sqlite3_stmt* statement) {
  const int code = sqlite3_step(statement);
  absl::Status status;
  if (code != SQLITE_DONE) status = Error(db_, code, path_, sqlite3_sql(statement));
  sqlite3_reset(statement);
  return status;
}

Statement::~Statement() { sqlite3_finalize(statement_); }

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_),
      statement_(std::exchange(other.statement_, nullptr)),
      bind_error_(other.bind_error_) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  if (this == &other) return *this;
  sqlite3_finalize(statement_);
  database_ = other.database_;
  statement_ = std::exchange(other.statement_, nullptr);
  bind_error_ = other.bind_error_;
  return *this;
}

void Statement::Bound(int code) {
  HOSTQ_CHECK(code != SQLITE_RANGE && code != SQLITE_MISUSE);
  if (code != SQLITE_OK) bind_error_ = code;
}

void Statement::CheckBound(int count) const {
  HOSTQ_CHECK(count == sqlite3_bind_parameter_count(statement_));
}

void Statement::BindInt64(int index, int64_t value) {
  Bound(sqlite3_bind_int64(statement_, index, value));
}

void Statement::BindDouble(int index, double value) {
  Bound(sqlite3_bind_double(statement_, index, value));
}

void Statement::BindText(int index, absl::string_view value) {
  // A null pointer would bind NULL.
  Bound(sqlite3_bind_text64(statement_, index, value.data() == nullptr ? "" : value.data(),
                            value.size(), SQLITE_STATIC, SQLITE_UTF8));
}

void Statement::BindBlob(int index, absl::string_view value) {
  Bound(sqlite3_bind_blob64(statement_, index, value.data() == nullptr ? "" : value.data(),
                            value.size(), SQLITE_STATIC));
}

void Statement::BindNull(int index) { Bound(sqlite3_bind_null(statement_, index)); }

absl::StatusOr<bool> Statement::Step() {
  if (bind_error_ != 0) {
    return Error(nullptr, std::exchange(bind_error_, 0), database_->path(), "bind");
  }
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  absl::Status status =
      Error(database_->handle(), code, database_->path(), sqlite3_sql(statement_));
  sqlite3_reset(statement_);
  return status;
}

void Statement::Reset() { sqlite3_reset(statement_); }

absl::Status Statement::Execute() {
  absl::Status status;
  for (;;) {
    const absl::StatusOr<bool> row = Step();
    if (row.ok() && *row) continue;
    status = row.status();
    break;
  }
  Reset();
  return status;
}

int64_t Statement::Int64(int column) const { return sqlite3_column_int64(statement_, column); }
double Statement::Double(int column) const { return sqlite3_column_double(statement_, column); }

absl::string_view Statement::Text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (text == nullptr) return {};
  return {text, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

absl::string_view Statement::Blob(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

bool Statement::IsNull(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

absl::StatusOr<Transaction> Transaction::Begin(Database& database) {
  HOSTQ_RETURN_IF_ERROR(database.RunPrepared(database.begin_));
  return Transaction(&database);
}

Transaction::~Transaction() {
  // After some errors (disk full) SQLite has already rolled back.
  if (database_ != nullptr && database_->InTransaction()) {
    (void)database_->RunPrepared(database_->rollback_);
  }
}

absl::Status Transaction::Commit() {
  HOSTQ_CHECK(database_ != nullptr);
  Database* database = std::exchange(database_, nullptr);
  absl::Status status = database->RunPrepared(database->commit_);
  if (!status.ok() && database->InTransaction()) {
    (void)database->RunPrepared(database->rollback_);
  }
  return status;
}

absl::Status Migrate(Database& database, absl::Span<const char* const> scripts) {
  const auto known = static_cast<int64_t>(scripts.size());
  HOSTQ_ASSIGN_OR_RETURN(int64_t version, database.QueryInt64("PRAGMA user_version"));
  if (version > known) {
    return CodeError(
        kTooNewCode,
        absl::StrCat(database.path(), ": was written by a newer program (schema ", version,
                     ", this program knows up to ", known, "): install the newer version again"));
  }
  while (version < known) {
    HOSTQ_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(database));
    // Another process may have done it meanwhile.
    HOSTQ_ASSIGN_OR_RETURN(const int64_t now, database.QueryInt64("PRAGMA user_version"));
    if (now == version) {
      HOSTQ_RETURN_IF_ERROR(database.Execute(scripts[static_cast<size_t>(version)]));
      HOSTQ_RETURN_IF_ERROR(database.Execute(absl::StrCat("PRAGMA user_version=", version + 1)));
      HOSTQ_RETURN_IF_ERROR(transaction.Commit());
    }
    ++version;
  }
  return absl::OkStatus();
}

}  // namespace hostq::sqlite
