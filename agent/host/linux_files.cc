#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/host/evidence.h"
#include "agent/host/file_descriptor.h"
#include "agent/host/linux_parts.h"
#include "common/base/error.h"

namespace hostq::agent {

Reason FileReason(int error_number) {
  switch (error_number) {
    case ESTALE:
      return Reason::kShareStale;
    case EROFS:
      return Reason::kShareReadOnly;
    case EACCES:
    case EPERM:
      return Reason::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      return Reason::kOutOfResources;
    case ETIMEDOUT:
    case EHOSTDOWN:
      return Reason::kShareUnresponsive;
    default:
      return Reason::kInternal;
  }
}

absl::Status MakeDirectories(const std::string& path) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) {
      return ErrnoError(errno, FileReason(errno), absl::StrCat("making the directory ", part));
    }
    if (slash == std::string::npos) return absl::OkStatus();
  }
}

namespace {

constexpr uint32_t kNobody = 65534;

// A name in a directory that is open, reached without following any link.
struct Place {
  FileDescriptor parent;
  std::string name;
  std::string shown;
};

absl::Status FileError(int error_number, absl::string_view doing, absl::string_view path) {
  return ErrnoError(error_number, FileReason(error_number), absl::StrCat(doing, " ", path));
}

absl::Status RootError(int error_number, const std::string& root) {
  if (error_number != ENOENT && error_number != ENOTDIR && error_number != ELOOP) {
    return FileError(error_number, "opening", root);
  }
  return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kMountPointMissing,
                   absl::StrCat(root, " is not a directory"));
}

// NOT_FOUND if a directory on the way does not exist.
absl::StatusOr<Place> Reach(const std::string& root, const std::string& relative) {
  std::vector<std::string> parts = absl::StrSplit(relative, '/');
  for (const std::string& part : parts) {
    if (part.empty() || part == "." || part == "..") {
      return MakeError(absl::StatusCode::kInvalidArgument, Reason::kBadParameters,
                       absl::StrCat("the path ", relative, " is not normalized"));
    }
  }
  Place place;
  place.shown = absl::StrCat(root, "/", relative);
  place.parent =
      FileDescriptor(open(root.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!place.parent.valid()) return RootError(errno, root);
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    FileDescriptor next(openat(place.parent.get(), parts[i].c_str(),
                               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next.valid()) return FileError(errno, "opening a directory of", place.shown);
    place.parent = std::move(next);
  }
  place.name = parts.back();
  return place;
}

FileInfo ToInfo(const struct stat& info) {
  FileInfo result;
  result.kind = S_ISDIR(info.st_mode)   ? FileInfo::Kind::kDirectory
                : S_ISREG(info.st_mode) ? FileInfo::Kind::kFile
                : S_ISLNK(info.st_mode) ? FileInfo::Kind::kSymlink
                                        : FileInfo::Kind::kOther;
  result.uid = info.st_uid;
  result.gid = info.st_gid;
  result.mode = info.st_mode & 07777;
  return result;
}

// Creates, chowns, removes; 0 or what it means.
Reason TryToWrite(int directory, const std::string& name, int* error_number) {
  const auto judge = [&](int error) {
    *error_number = error;
    if (error == EROFS) return Reason::kShareReadOnly;
    // Who is nobody on the server may not create in root's directory, or not chown.
    if (error == EACCES || error == EPERM) return Reason::kShareRootSquashed;
    return FileReason(error);
  };
  unlinkat(directory, name.c_str(), 0);  // left by a probe that was killed
  const FileDescriptor file(
      openat(directory, name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.valid()) return judge(errno);
  Reason reason = Reason::kNone;
  struct stat info = {};
  if (fstat(file.get(), &info) != 0 || fchown(file.get(), kNobody, kNobody) != 0) {
    reason = judge(errno);
  } else if (info.st_uid != 0) {
    reason = judge(EPERM);
  }
  unlinkat(directory, name.c_str(), 0);
  return reason;
}

class LinuxFiles final : public Files {
 public:
  absl::StatusOr<std::optional<FileInfo>> Stat(const std::string& root,
                                               const std::string& relative) override {
    auto place = Reach(root, relative);
    if (absl::IsNotFound(place.status())) return std::optional<FileInfo>();
    if (!place.ok()) return place.status();
    struct stat info = {};
    if (fstatat(place->parent.get(), place->name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) {
      return std::optional<FileInfo>(ToInfo(info));
    }
    if (errno == ENOENT) return std::optional<FileInfo>();
    return FileError(errno, "looking at", place->shown);
  }

  absl::Status MakeDirectory(const std::string& root, const std::string& relative,
                             const FileInfo& info) override {
    HOSTQ_ASSIGN_OR_RETURN(const Place place, Reach(root, relative));
    // Under another name first: nobody ever sees it with the wrong owner, and an attempt that was
    // killed leaves nothing that looks like somebody's.
    const int parent = place.parent.get();
    const std::string temporary = absl::StrCat(".hostq-new-", place.name);
    unlinkat(parent, temporary.c_str(), AT_REMOVEDIR);
    if (mkdirat(parent, temporary.c_str(), 0700) != 0) {
      return FileError(errno, "making", place.shown);
    }
    const FileDescriptor made(
        openat(parent, temporary.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!made.valid() || fchown(made.get(), info.uid, info.gid) != 0 ||
        fchmod(made.get(), info.mode) != 0 || fsync(made.get()) != 0 ||
        renameat2(parent, temporary.c_str(), parent, place.name.c_str(), RENAME_NOREPLACE) != 0) {
      const int error = errno;
      unlinkat(parent, temporary.c_str(), AT_REMOVEDIR);
      return FileError(error, "making", place.shown);
    }
    if (fsync(parent) != 0) return FileError(errno, "making durable", place.shown);
    return absl::OkStatus();
  }

  absl::Status Move(const std::string& root, const std::string& from,
                    const std::string& to) override {
    HOSTQ_ASSIGN_OR_RETURN(const Place source, Reach(root, from));
    HOSTQ_ASSIGN_OR_RETURN(const Place target, Reach(root, to));
    if (renameat2(source.parent.get(), source.name.c_str(), target.parent.get(),
                  target.name.c_str(), RENAME_NOREPLACE) != 0) {
      return FileError(errno, absl::StrCat("moving ", source.shown, " to"), target.shown);
    }
    if (fsync(target.parent.get()) != 0 || fsync(source.parent.get()) != 0) {
      return FileError(errno, "making durable", target.shown);
    }
    return absl::OkStatus();
  }

  absl::Status ProbeWrite(const std::string& root) override {
    const FileDescriptor directory(
        open(root.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!directory.valid()) return RootError(errno, root);
    char host[HOST_NAME_MAX + 1] = {};
    gethostname(host, sizeof(host) - 1);
    int error_number = 0;
    // Named after this machine: several nodes probe the same share.
    const Reason reason = TryToWrite(
        directory.get(), absl::StrCat(".hostq-probe-", host, "-", getpid()), &error_number);
    if (reason == Reason::kNone) return absl::OkStatus();
    return ErrnoError(error_number, reason, absl::StrCat("writing as root in ", root));
  }

  absl::StatusOr<std::optional<std::string>> ReadLink(const std::string& path) override {
    char target[PATH_MAX];
    const ssize_t length = readlink(path.c_str(), target, sizeof(target));
    if (length >= 0) return std::optional<std::string>({target, static_cast<size_t>(length)});
    if (errno == EINVAL) return std::optional<std::string>();
    if (errno == ENOENT || errno == ENOTDIR) {
      return ErrnoError(errno, Reason::kMountPointMissing, absl::StrCat("looking at ", path));
    }
    return FileError(errno, "looking at", path);
  }

  absl::Status CheckEmptyDirectory(const std::string& path) override {
    const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
      const bool missing = errno == ENOENT || errno == ENOTDIR || errno == ELOOP;
      return ErrnoError(errno, missing ? Reason::kMountPointMissing : FileReason(errno),
                        absl::StrCat("opening the directory ", path));
    }
    DIR* const stream = fdopendir(fd);  // owns fd
    std::string found;
    while (const dirent* entry = readdir(stream)) {
      const absl::string_view name = entry->d_name;
      if (name != "." && name != ".." && name != "lost+found") found = std::string(name);
      if (!found.empty()) break;
    }
    closedir(stream);
    if (found.empty()) return absl::OkStatus();
    return WithEvidence(
        MakeError(absl::StatusCode::kFailedPrecondition, Reason::kMountPointNotEmpty,
                  absl::StrCat("the directory ", path, " is not empty: it has ", found)),
        "entry", found);
  }
};

}  // namespace

std::unique_ptr<Files> MakeLinuxFiles() { return std::make_unique<LinuxFiles>(); }

}  // namespace hostq::agent
