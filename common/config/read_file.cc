#include "common/config/read_file.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"

namespace hostq {

absl::StatusOr<std::string> ReadConfigFile(const std::string& path) {
  constexpr size_t kLimit = 1 << 20;
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) {
    return ErrnoError(errno, Reason::kInvalidArgument, absl::StrCat("cannot open ", path));
  }
  if (!S_ISREG(status.st_mode)) {
    return MakeError(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument,
                     absl::StrCat(path, ": not a regular file"));
  }
  struct Closer {
    void operator()(FILE* file) const { std::fclose(file); }
  };
  const std::unique_ptr<FILE, Closer> file(std::fopen(path.c_str(), "re"));
  if (file == nullptr) {
    return ErrnoError(errno, Reason::kInvalidArgument, absl::StrCat("cannot open ", path));
  }
  std::string text(kLimit + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) {
    return ErrnoError(errno, Reason::kInvalidArgument, absl::StrCat("cannot read ", path));
  }
  if (text.size() > kLimit) {
    return MakeError(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument,
                     absl::StrCat(path, ": larger than 1 MiB"));
  }
  return text;
}

}  // namespace hostq
