#include "common/crypto/secret_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/crypto/encoding.h"
#include "common/crypto/hash.h"

namespace hostq {
namespace {

class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const { return descriptor_; }

 private:
  const int descriptor_;
};

absl::Status Failed(absl::string_view what, absl::string_view path) {
  return ErrnoError(errno, Reason::kInternal, absl::StrCat("cannot ", what, " ", path));
}

absl::Status WriteAll(const std::string& path, absl::string_view contents, int mode) {
  const File file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.get() < 0) return Failed("create", path);
  if (::fchmod(file.get(), static_cast<mode_t>(mode)) != 0) return Failed("set the mode of", path);
  while (!contents.empty()) {
    const ssize_t written = ::write(file.get(), contents.data(), contents.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Failed("write", path);
    contents.remove_prefix(static_cast<size_t>(written));
  }
  if (::fsync(file.get()) != 0) return Failed("make durable", path);
  return absl::OkStatus();
}

absl::Status SyncFolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const File file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (file.get() < 0 || ::fsync(file.get()) != 0) return Failed("make durable", folder);
  return absl::OkStatus();
}

// Into `out`, which has no more than one allocation, so that nothing of a secret stays behind.
absl::Status ReadAll(const std::string& path, size_t limit, bool secret, std::string& out) {
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return Failed("open", path);
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0) return Failed("look at", path);
  const auto refuse = [&](absl::string_view why) {
    return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kInternal,
                     absl::StrCat(path, ": ", why));
  };
  if (!S_ISREG(status.st_mode)) return refuse("not a regular file");
  if (secret && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return refuse(absl::StrCat("group or others may read or write it; chmod 600 ", path));
  }
  if (static_cast<size_t>(status.st_size) > limit) {
    return refuse(absl::StrCat("larger than ", limit, " bytes"));
  }
  out.resize(static_cast<size_t>(status.st_size));
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t got = ::read(file.get(), out.data() + done, out.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Failed("read", path);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  out.resize(done);
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteFileDurably(const std::string& path, absl::string_view contents, int mode,
                              IfExists if_exists) {
  const std::string temporary = absl::StrCat(path, ".new-", HexEncode(RandomBytes(6)));
  absl::Status status = WriteAll(temporary, contents, mode);
  if (status.ok()) {
    // link() fails if the name exists; rename() replaces it.
    const bool placed = if_exists == IfExists::kRefuse
                            ? ::link(temporary.c_str(), path.c_str()) == 0
                            : ::rename(temporary.c_str(), path.c_str()) == 0;
    if (!placed) status = Failed("create", path);
  }
  ::unlink(temporary.c_str());
  HOSTQ_RETURN_IF_ERROR(status);
  return SyncFolderOf(path);
}

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t limit) {
  std::string contents;
  HOSTQ_RETURN_IF_ERROR(ReadAll(path, limit, false, contents));
  return contents;
}

absl::StatusOr<SecretString> ReadSecretFile(const std::string& path, size_t limit) {
  std::string contents;
  HOSTQ_RETURN_IF_ERROR(ReadAll(path, limit, true, contents));
  SecretString secret{absl::string_view(contents)};
  Wipe(contents);
  return secret;
}

}  // namespace hostq
