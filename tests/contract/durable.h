#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/reason.h"
#include "common/sqlite/database.h"
#include "tests/testing/faulty_disk.h"

namespace hostq::testing {

// A database of ours, reduced to what its disk has to do with: numbered steps, each one transaction
// that is confirmed or not, and reading back. For the tests of lost power and of failing disks.
class Durable {
 public:
  virtual ~Durable() = default;
  // Opens it on the disk below; again, if it is open. Errors: the database's.
  virtual absl::Status Open() = 0;
  virtual void Close() = 0;
  // Step `number` follows number - 1. Errors: the database's.
  virtual absl::Status Step(int number) = 0;
  // The last step that is there, if everything is as that step left it. DATA_LOSS: it is not.
  virtual absl::StatusOr<int> Read() = 0;
  // Which reason its errors carry.
  virtual Reason reason() const = 0;
};

// Makes one in the file `path`, with these options.
using MakeDurable = std::function<std::unique_ptr<Durable>(const std::string& path,
                                                           const sqlite::OpenOptions& options)>;

// The manager's store, the agent's journal, and a bare table with this PRAGMA synchronous.
MakeDurable StoreMaker();
MakeDurable JournalMaker();
MakeDurable TableMaker(const std::string& synchronous);

// A directory with one of them, on a disk that fails.
class DurablePlace {
 public:
  // `autocheckpoint_pages`: few, so that the log is moved into the database every few steps.
  explicit DurablePlace(const MakeDurable& make, int autocheckpoint_pages = 16);
  ~DurablePlace();
  Durable& database() { return *database_; }
  FaultyDisk& disk() { return disk_; }
  const std::string& path() const { return path_; }
  // Closes it, and has SQLite check every page and index of it. OK also if there is none.
  absl::Status CheckIntegrity();

 private:
  std::string directory_;
  std::string path_;
  FaultyDisk disk_;
  std::unique_ptr<Durable> database_;
};

}  // namespace hostq::testing
