#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/base/mutex.h"

namespace hostq::testing {

// A disk that fails, below SQLite: a sqlite3_vfs over the system's own, with real files. It knows
// what of each file has been synced, and so what a disk may hold after the power went. Give vfs()
// to sqlite::OpenOptions. Thread-safe.
//
// The power goes at an operation: everything that changes a file is one (a write, a truncation, a
// sync, a deletion; a file that is made). From then on every call fails, as if the process were
// gone; close the connections, call RestorePower, and open again.
class FaultyDisk {
 public:
  FaultyDisk();
  // All connections must be closed.
  ~FaultyDisk();
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;

  const char* vfs() const { return name_.c_str(); }
  // So far; the next one is number operations() + 1.
  int64_t operations() const;

  // --- power ---
  void CutPowerAt(int64_t operation);
  bool has_power() const;
  // What becomes of that which was written, but not synced.
  enum class Unsynced {
    kLost,
    kKept,
    kTorn,  // of every sector (512 bytes) one or the other; deletions and new files likewise
  };
  // Every file becomes what the disk then has. All connections must be closed.
  void RestorePower(Unsynced unsynced, std::mt19937_64& random);
  // As if the process were killed: every call fails until BeginProcess, and files stay as they are,
  // with what has not been synced. All connections must be closed in between.
  void EndProcess();
  void BeginProcess();
  // Syncs do nothing any more: as disks that lie, or PRAGMA synchronous=OFF.
  void IgnoreSyncs();

  // --- errors ---
  enum class Error {
    kNone,
    kFull,   // writes: SQLITE_FULL
    kWrite,  // writes, truncations and deletions: SQLITE_IOERR
    kSync,   // syncs: SQLITE_IOERR. As on Linux, what was to be synced is lost unless it is written
             // again, whatever a later sync says
    kRead,   // reads: SQLITE_IOERR
    kReadOnly,  // kWrite, and files can be opened for reading only: a file system that was
                // remounted
  };
  // The next `skip` calls that it would strike succeed, and `count` then fail.
  void Fail(Error error, int64_t skip = 0, int64_t count = std::numeric_limits<int64_t>::max());

 private:
  friend struct VfsMethods;
  struct Write {
    int64_t offset;
    std::string bytes;
  };
  struct Truncate {
    int64_t size;
  };
  using Change = std::variant<Write, Truncate>;
  struct File {
    std::string synced;           // what the disk has for certain
    std::vector<Change> changes;  // since
    bool exists = true;
    bool was_there = false;  // its directory said so when that was last synced
  };

  // Counts; false: the power is gone.
  bool Operate() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Strikes(Error error) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool WriteFails() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // What the methods of the VFS do before or instead of the system's; SQLITE_OK: go on.
  int OnOpen(const std::string& path, int& flags);
  int OnRead();
  int OnWrite(const std::string& path, const void* bytes, int size, int64_t offset);
  int OnTruncate(const std::string& path, int64_t size);
  int OnSync(const std::string& path, bool directory);
  int OnDelete(const std::string& path, bool directory);

  static void Apply(const Change& change, std::string& content);
  static void ApplyTorn(const Change& change, std::mt19937_64& random, std::string& content);
  void SyncDirectory() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string name_;
  sqlite3_vfs vfs_;
  mutable Mutex mutex_;
  std::map<std::string, File> files_ ABSL_GUARDED_BY(mutex_);  // by path; all of one directory
  int open_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t operations_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t cut_at_ ABSL_GUARDED_BY(mutex_) = std::numeric_limits<int64_t>::max();
  bool ignore_syncs_ ABSL_GUARDED_BY(mutex_) = false;
  Error error_ ABSL_GUARDED_BY(mutex_) = Error::kNone;
  int64_t skip_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t count_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace hostq::testing
