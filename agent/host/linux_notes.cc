#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "agent/host/file_descriptor.h"
#include "agent/host/linux_parts.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

absl::Status NoteError(int error_number, absl::string_view doing, absl::string_view path) {
  const Reason reason = FileReason(error_number);
  return ErrnoError(error_number,
                    reason == Reason::kInternal ? Reason::kJournalUnavailable : reason,
                    absl::StrCat(doing, " the note ", path));
}

bool IsNoteName(const std::string& name) {
  return !name.empty() && name[0] != '/' && name.find("..") == std::string::npos &&
         std::count(name.begin(), name.end(), '/') <= 1 &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' ||
                  c == '-' || c == '/';
         });
}

bool WriteDurably(const std::string& path, const std::string& text) {
  const FileDescriptor file(open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600));
  return file.valid() &&
         write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
         fsync(file.get()) == 0;
}

bool SyncDirectory(const std::string& path) {
  const FileDescriptor directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return directory.valid() && fsync(directory.get()) == 0;
}

class LinuxNotes final : public Notes {
 public:
  explicit LinuxNotes(const RealHostOptions& options) : options_(options) {}

  absl::StatusOr<std::optional<std::string>> Read(NoteLife life, const std::string& name) override {
    HOSTQ_ASSIGN_OR_RETURN(const std::string path, PathOf(life, name));
    std::ifstream file(path);
    if (!file && errno == ENOENT) return std::optional<std::string>();
    if (!file) return NoteError(errno, "reading", path);
    return std::optional<std::string>(
        std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()));
  }

  absl::Status Write(NoteLife life, const std::string& name, const std::string& text) override {
    HOSTQ_ASSIGN_OR_RETURN(const std::string path, PathOf(life, name));
    const std::string directory = path.substr(0, path.rfind('/'));
    HOSTQ_RETURN_IF_ERROR(MakeDirectories(directory));
    const std::string temporary = absl::StrCat(path, ".new");
    if (!WriteDurably(temporary, text) || rename(temporary.c_str(), path.c_str()) != 0 ||
        !SyncDirectory(directory)) {
      return NoteError(errno, "writing", path);
    }
    return absl::OkStatus();
  }

  absl::Status Remove(NoteLife life, const std::string& name) override {
    HOSTQ_ASSIGN_OR_RETURN(const std::string path, PathOf(life, name));
    if (unlink(path.c_str()) != 0) {
      return errno == ENOENT ? absl::OkStatus() : NoteError(errno, "removing", path);
    }
    return SyncDirectory(path.substr(0, path.rfind('/'))) ? absl::OkStatus()
                                                          : NoteError(errno, "removing", path);
  }

  absl::StatusOr<std::shared_ptr<void>> Lock(const std::string& name) override {
    HOSTQ_ASSIGN_OR_RETURN(const std::string path,
                           PathOf(NoteLife::kUntilReboot, absl::StrCat(name, ".lock")));
    HOSTQ_RETURN_IF_ERROR(MakeDirectories(path.substr(0, path.rfind('/'))));
    auto file =
        std::make_shared<FileDescriptor>(open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    if (!file->valid() || flock(file->get(), LOCK_EX) != 0) {
      return NoteError(errno, "locking", path);
    }
    return std::shared_ptr<void>(std::move(file));
  }

 private:
  absl::StatusOr<std::string> PathOf(NoteLife life, const std::string& name) const {
    if (!IsNoteName(name)) {
      return MakeError(absl::StatusCode::kInvalidArgument, Reason::kBadParameters,
                       absl::StrCat("a note cannot be named ", name));
    }
    return absl::StrCat(
        life == NoteLife::kDurable ? options_.state_directory : options_.run_directory, "/", name);
  }

  const RealHostOptions options_;
};

}  // namespace

std::unique_ptr<Notes> MakeLinuxNotes(const RealHostOptions& options) {
  return std::make_unique<LinuxNotes>(options);
}

}  // namespace hostq::agent
