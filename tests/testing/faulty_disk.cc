#include "tests/testing/faulty_disk.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"

namespace hostq::testing {
namespace {

constexpr int64_t kSector = 512;

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// Memory that connections share: no file of a disk, and begun anew after a power cut.
bool IsShared(const std::string& path) { return absl::EndsWith(path, "-shm"); }

sqlite3_vfs* System() { return sqlite3_vfs_find(nullptr); }

}  // namespace

// --- the methods that SQLite calls ---

struct OpenFile {
  sqlite3_file base;
  FaultyDisk* disk;
  std::string* path;
  // The system's VFS syncs the directory along with the first sync of a new journal.
  bool sync_directory;
  // The system's own follows.
  sqlite3_file* system() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

struct VfsMethods {
  static OpenFile& Of(sqlite3_file* file) { return *reinterpret_cast<OpenFile*>(file); }
  static FaultyDisk& Of(sqlite3_vfs* vfs) { return *static_cast<FaultyDisk*>(vfs->pAppData); }
  template <auto kMember, typename... Args>
  static int Pass(sqlite3_file* file, Args... args) {
    sqlite3_file* const system = Of(file).system();
    return (system->pMethods->*kMember)(system, args...);
  }

  static int Close(sqlite3_file* file) {
    OpenFile& open = Of(file);
    const int code = Pass<&sqlite3_io_methods::xClose>(file);
    {
      const MutexLock lock(open.disk->mutex_);
      --open.disk->open_;
    }
    delete open.path;
    return code;
  }
  static int Read(sqlite3_file* file, void* bytes, int size, sqlite3_int64 offset) {
    if (const int code = Of(file).disk->OnRead(); code != SQLITE_OK) return code;
    return Pass<&sqlite3_io_methods::xRead>(file, bytes, size, offset);
  }
  static int Write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
    const int code = Of(file).disk->OnWrite(*Of(file).path, bytes, size, offset);
    return code != SQLITE_OK ? code : Pass<&sqlite3_io_methods::xWrite>(file, bytes, size, offset);
  }
  static int Truncate(sqlite3_file* file, sqlite3_int64 size) {
    const int code = Of(file).disk->OnTruncate(*Of(file).path, size);
    return code != SQLITE_OK ? code : Pass<&sqlite3_io_methods::xTruncate>(file, size);
  }
  static int Sync(sqlite3_file* file, int) {
    OpenFile& open = Of(file);
    const int code = open.disk->OnSync(*open.path, open.sync_directory);
    if (code == SQLITE_OK) open.sync_directory = false;
    return code;  // the disk that counts is this one
  }

  static int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags,
                  int* out_flags) {
    OpenFile& open = Of(file);
    open.base.pMethods = nullptr;
    open.disk = &Of(vfs);
    const std::string path = name == nullptr ? "" : name;
    if (const int code = open.disk->OnOpen(path, flags); code != SQLITE_OK) return code;
    const int code = System()->xOpen(System(), name, open.system(), flags, out_flags);
    if (code != SQLITE_OK) return code;
    const int journals = SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL;
    open.sync_directory = (flags & SQLITE_OPEN_CREATE) != 0 && (flags & journals) != 0;
    open.path = new std::string(path);
    open.base.pMethods = &kFileMethods;
    const MutexLock lock(open.disk->mutex_);
    ++open.disk->open_;
    return SQLITE_OK;
  }
  static int Delete(sqlite3_vfs* vfs, const char* name, int sync_directory) {
    const int code = Of(vfs).OnDelete(name, sync_directory != 0);
    return code != SQLITE_OK ? code : System()->xDelete(System(), name, 0);
  }
  static int Access(sqlite3_vfs*, const char* name, int flags, int* out) {
    return System()->xAccess(System(), name, flags, out);
  }
  static int FullPathname(sqlite3_vfs*, const char* name, int size, char* out) {
    return System()->xFullPathname(System(), name, size, out);
  }
  static int Randomness(sqlite3_vfs*, int size, char* out) {
    return System()->xRandomness(System(), size, out);
  }
  static int Sleep(sqlite3_vfs*, int microseconds) {
    return System()->xSleep(System(), microseconds);
  }
  static int CurrentTime(sqlite3_vfs*, double* out) {
    return System()->xCurrentTime(System(), out);
  }
  static int CurrentTimeInt64(sqlite3_vfs*, sqlite3_int64* out) {
    return System()->xCurrentTimeInt64(System(), out);
  }
  static int GetLastError(sqlite3_vfs*, int, char*) { return 0; }

  static constexpr sqlite3_io_methods kFileMethods = {
      2,  // without xFetch: everything is read and written through here
      Close,
      Read,
      Write,
      Truncate,
      Sync,
      [](sqlite3_file* file, sqlite3_int64* size) {
        return Pass<&sqlite3_io_methods::xFileSize>(file, size);
      },
      [](sqlite3_file* file, int lock) { return Pass<&sqlite3_io_methods::xLock>(file, lock); },
      [](sqlite3_file* file, int lock) { return Pass<&sqlite3_io_methods::xUnlock>(file, lock); },
      [](sqlite3_file* file, int* out) {
        return Pass<&sqlite3_io_methods::xCheckReservedLock>(file, out);
      },
      [](sqlite3_file* file, int what, void* argument) {
        return Pass<&sqlite3_io_methods::xFileControl>(file, what, argument);
      },
      [](sqlite3_file* file) { return Pass<&sqlite3_io_methods::xSectorSize>(file); },
      [](sqlite3_file* file) { return Pass<&sqlite3_io_methods::xDeviceCharacteristics>(file); },
      [](sqlite3_file* file, int region, int size, int extend, void volatile** out) {
        return Pass<&sqlite3_io_methods::xShmMap>(file, region, size, extend, out);
      },
      [](sqlite3_file* file, int offset, int count, int flags) {
        return Pass<&sqlite3_io_methods::xShmLock>(file, offset, count, flags);
      },
      [](sqlite3_file* file) {
        sqlite3_file* const system = Of(file).system();
        system->pMethods->xShmBarrier(system);
      },
      [](sqlite3_file* file, int remove) {
        return Pass<&sqlite3_io_methods::xShmUnmap>(file, remove);
      },
      nullptr,
      nullptr};
};

FaultyDisk::FaultyDisk()
    : name_([] {
        static std::atomic<int> count = 0;
        return absl::StrCat("hostq-faulty-", ++count);
      }()),
      vfs_{} {
  vfs_.iVersion = 2;
  vfs_.szOsFile = static_cast<int>(sizeof(OpenFile)) + System()->szOsFile;
  vfs_.mxPathname = System()->mxPathname;
  vfs_.zName = name_.c_str();
  vfs_.pAppData = this;
  vfs_.xOpen = VfsMethods::Open;
  vfs_.xDelete = VfsMethods::Delete;
  vfs_.xAccess = VfsMethods::Access;
  vfs_.xFullPathname = VfsMethods::FullPathname;
  vfs_.xRandomness = VfsMethods::Randomness;
  vfs_.xSleep = VfsMethods::Sleep;
  vfs_.xCurrentTime = VfsMethods::CurrentTime;
  vfs_.xCurrentTimeInt64 = VfsMethods::CurrentTimeInt64;
  vfs_.xGetLastError = VfsMethods::GetLastError;
  HOSTQ_CHECK(sqlite3_vfs_register(&vfs_, 0) == SQLITE_OK);
}

FaultyDisk::~FaultyDisk() { sqlite3_vfs_unregister(&vfs_); }

// --- what it makes of them ---

int64_t FaultyDisk::operations() const {
  const MutexLock lock(mutex_);
  return operations_;
}

void FaultyDisk::CutPowerAt(int64_t operation) {
  const MutexLock lock(mutex_);
  cut_at_ = operation;
}

bool FaultyDisk::has_power() const {
  const MutexLock lock(mutex_);
  return operations_ < cut_at_;
}

void FaultyDisk::EndProcess() {
  const MutexLock lock(mutex_);
  cut_at_ = operations_;
}

void FaultyDisk::BeginProcess() {
  const MutexLock lock(mutex_);
  HOSTQ_CHECK(open_ == 0);
  cut_at_ = std::numeric_limits<int64_t>::max();
}

void FaultyDisk::IgnoreSyncs() {
  const MutexLock lock(mutex_);
  ignore_syncs_ = true;
}

void FaultyDisk::Fail(Error error, int64_t skip, int64_t count) {
  const MutexLock lock(mutex_);
  error_ = error;
  skip_ = skip;
  count_ = count;
}

bool FaultyDisk::Operate() {
  if (operations_ >= cut_at_) return false;
  return ++operations_ < cut_at_;
}

bool FaultyDisk::Strikes(Error error) {
  if (error_ != error || count_ == 0) return false;
  if (skip_ > 0) {
    --skip_;
    return false;
  }
  --count_;
  return true;
}

bool FaultyDisk::WriteFails() { return Strikes(Error::kWrite) || Strikes(Error::kReadOnly); }

int FaultyDisk::OnOpen(const std::string& path, int& flags) {
  if (path.empty() || IsShared(path)) return SQLITE_OK;
  const MutexLock lock(mutex_);
  if (operations_ >= cut_at_) return SQLITE_CANTOPEN;
  const bool there = std::filesystem::exists(path);
  if (Strikes(Error::kReadOnly) && (flags & SQLITE_OPEN_READWRITE) != 0) {
    flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
    if (!there) return SQLITE_CANTOPEN;
  }
  const auto known = files_.find(path);
  if (known == files_.end() && there) {
    files_[path] = {ReadAll(path), {}, true, true};
  } else if (!there && (flags & SQLITE_OPEN_CREATE) != 0) {
    File& file = files_[path];
    file.exists = true;
    // Made again: what the disk still has of the one before goes first.
    file.changes.push_back(Truncate{0});
    if (!Operate()) return SQLITE_CANTOPEN;
  }
  return SQLITE_OK;
}

int FaultyDisk::OnRead() {
  const MutexLock lock(mutex_);
  if (operations_ >= cut_at_ || Strikes(Error::kRead)) return SQLITE_IOERR_READ;
  return SQLITE_OK;
}

int FaultyDisk::OnWrite(const std::string& path, const void* bytes, int size, int64_t offset) {
  if (path.empty()) return SQLITE_OK;
  const MutexLock lock(mutex_);
  if (operations_ >= cut_at_) return SQLITE_IOERR_WRITE;
  if (Strikes(Error::kFull)) return SQLITE_FULL;
  if (WriteFails()) return SQLITE_IOERR_WRITE;
  // Also the one during which the power goes: some of it may arrive.
  files_[path].changes.push_back(
      Write{offset, std::string(static_cast<const char*>(bytes), static_cast<size_t>(size))});
  return Operate() ? SQLITE_OK : SQLITE_IOERR_WRITE;
}

int FaultyDisk::OnTruncate(const std::string& path, int64_t size) {
  const MutexLock lock(mutex_);
  if (operations_ >= cut_at_ || WriteFails()) return SQLITE_IOERR_TRUNCATE;
  files_[path].changes.push_back(Truncate{size});
  return Operate() ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
}

int FaultyDisk::OnSync(const std::string& path, bool directory) {
  const MutexLock lock(mutex_);
  File& file = files_[path];
  if (!Operate()) return SQLITE_IOERR_FSYNC;
  if (Strikes(Error::kSync)) {
    const auto is_write = [](const Change& change) {
      return std::holds_alternative<Write>(change);
    };
    file.changes.erase(std::remove_if(file.changes.begin(), file.changes.end(), is_write),
                       file.changes.end());
    return SQLITE_IOERR_FSYNC;
  }
  if (ignore_syncs_) return SQLITE_OK;
  for (const Change& change : file.changes) Apply(change, file.synced);
  file.changes.clear();
  if (directory) SyncDirectory();
  return SQLITE_OK;
}

int FaultyDisk::OnDelete(const std::string& path, bool directory) {
  if (IsShared(path)) return SQLITE_OK;
  const MutexLock lock(mutex_);
  if (!std::filesystem::exists(path)) return SQLITE_IOERR_DELETE_NOENT;
  if (operations_ >= cut_at_ || WriteFails()) return SQLITE_IOERR_DELETE;
  if (!Operate()) return SQLITE_IOERR_DELETE;
  files_[path].exists = false;
  if (directory && !ignore_syncs_) SyncDirectory();
  return SQLITE_OK;
}

void FaultyDisk::SyncDirectory() {
  for (auto it = files_.begin(); it != files_.end();) {
    File& file = it->second;
    file.was_there = file.exists;
    it = file.exists ? std::next(it) : files_.erase(it);
  }
}

void FaultyDisk::Apply(const Change& change, std::string& content) {
  if (const auto* truncate = std::get_if<Truncate>(&change)) {
    content.resize(static_cast<size_t>(truncate->size));
    return;
  }
  const auto& write = std::get<Write>(change);
  const auto offset = static_cast<size_t>(write.offset);
  if (content.size() < offset + write.bytes.size()) content.resize(offset + write.bytes.size());
  std::copy(write.bytes.begin(), write.bytes.end(), content.begin() + write.offset);
}

void FaultyDisk::ApplyTorn(const Change& change, std::mt19937_64& random, std::string& content) {
  const auto* write = std::get_if<Write>(&change);
  if (write == nullptr) {
    if (random() % 2 == 0) Apply(change, content);
    return;
  }
  const auto size = static_cast<int64_t>(write->bytes.size());
  for (int64_t at = 0; at < size;) {
    const int64_t next = std::min(size, at + kSector - (write->offset + at) % kSector);
    if (random() % 2 == 0) {
      Apply(Write{write->offset + at,
                  write->bytes.substr(static_cast<size_t>(at), static_cast<size_t>(next - at))},
            content);
    }
    at = next;
  }
}

void FaultyDisk::RestorePower(Unsynced unsynced, std::mt19937_64& random) {
  const MutexLock lock(mutex_);
  HOSTQ_CHECK(open_ == 0);
  const auto kept = [&] {
    return unsynced == Unsynced::kKept || (unsynced == Unsynced::kTorn && random() % 2 == 0);
  };
  for (auto& [path, file] : files_) {
    for (const Change& change : file.changes) {
      if (unsynced == Unsynced::kKept) Apply(change, file.synced);
      if (unsynced == Unsynced::kTorn) ApplyTorn(change, random, file.synced);
    }
    const bool there = file.exists == file.was_there || kept() ? file.exists : file.was_there;
    if (there) {
      std::ofstream(path, std::ios::binary | std::ios::trunc) << file.synced;
    } else {
      std::filesystem::remove(path);
    }
    std::filesystem::remove(path + "-shm");
  }
  files_.clear();
  cut_at_ = std::numeric_limits<int64_t>::max();
}

}  // namespace hostq::testing
