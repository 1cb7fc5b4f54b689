#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hostq::agent {

struct FileInfo {
  enum class Kind { kDirectory, kFile, kSymlink, kOther };
  Kind kind = Kind::kDirectory;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t mode = 0;  // permission bits
};

// The few file operations that accounts need. Paths are (root, relative): `root` is an absolute
// path that is not a symbolic link itself; in `relative` no symbolic link is followed, and "..",
// "." and empty parts are refused (BAD_PARAMETERS), so that nothing outside `root` is reached.
// May block if `root` is on a share. Errors: SHARE_STALE, SHARE_READ_ONLY, PERMISSION_DENIED,
// OUT_OF_RESOURCES, INTERNAL; MOUNT_POINT_MISSING if `root` is no directory.
class Files {
 public:
  virtual ~Files() = default;
  // Of the thing itself, if it is a link. Nothing if it, or a directory on the way, does not exist.
  virtual absl::StatusOr<std::optional<FileInfo>> Stat(const std::string& root,
                                                       const std::string& relative) = 0;
  // Appears at once with its owner and mode, durably. ALREADY_EXISTS if anything has that name.
  virtual absl::Status MakeDirectory(const std::string& root, const std::string& relative,
                                     const FileInfo& info) = 0;
  // Within one file system, durably. ALREADY_EXISTS if `to` is taken, NOT_FOUND if `from` is not.
  virtual absl::Status Move(const std::string& root, const std::string& from,
                            const std::string& to) = 0;
  // Makes, chowns and removes a hidden file, as root must be able to for homes to be made. Reasons:
  // SHARE_READ_ONLY, SHARE_ROOT_SQUASHED.
  virtual absl::Status ProbeWrite(const std::string& root) = 0;

  // Where the symbolic link `path` points; nothing if it is none. MOUNT_POINT_MISSING if absent.
  virtual absl::StatusOr<std::optional<std::string>> ReadLink(const std::string& path) = 0;
  // OK if `path` is a directory without entries (lost+found does not count). MOUNT_POINT_MISSING,
  // MOUNT_POINT_NOT_EMPTY (evidence: entry).
  virtual absl::Status CheckEmptyDirectory(const std::string& path) = 0;
};

// What the agent notes for itself: small texts by name ("suspended/exampleco"; [a-zA-Z0-9._-] and
// one '/').
enum class NoteLife {
  kDurable,      // below the agent's state directory; written with fsync
  kUntilReboot,  // below /run
};
class Notes {
 public:
  virtual ~Notes() = default;
  virtual absl::StatusOr<std::optional<std::string>> Read(NoteLife life,
                                                          const std::string& name) = 0;
  virtual absl::Status Write(NoteLife life, const std::string& name, const std::string& text) = 0;
  // OK if there is none.
  virtual absl::Status Remove(NoteLife life, const std::string& name) = 0;
  // Waits until no other process has the lock of that name; it is given back with the last copy of
  // what is returned, or when this process ends.
  virtual absl::StatusOr<std::shared_ptr<void>> Lock(const std::string& name) = 0;
};

}  // namespace hostq::agent
