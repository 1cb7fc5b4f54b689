#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "agent/host/contained_program.h"
#include "agent/host/evidence.h"
#include "agent/host/file_descriptor.h"
#include "agent/host/linux_parts.h"
#include "agent/host/trusted_path.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

constexpr mode_t kOthersMayWrite = S_IWGRP | S_IWOTH;

bool IsHookName(absl::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
  });
}

// Why a file is not run; empty if it is.
std::string WhyIgnored(absl::string_view name, const struct stat& info) {
  absl::ConsumeSuffix(&name, ".reload");
  if (!IsHookName(name)) return "its name is not of letters, digits, - and _";
  if (!S_ISREG(info.st_mode)) return "not a regular file";
  if (info.st_uid != 0) return absl::StrCat("owned by uid ", info.st_uid, " instead of root");
  if ((info.st_mode & kOthersMayWrite) != 0) return "others may write to it";
  if ((info.st_mode & S_IXUSR) == 0) return "not executable";
  return "";
}

bool WasMeant(absl::string_view name, const struct stat& info) {
  const bool runnable = S_ISREG(info.st_mode) && (info.st_mode & S_IXUSR) != 0;
  return IsHookName(name) && (runnable || S_ISLNK(info.st_mode));
}

absl::Status CheckSafe(const std::string& directory, const struct stat& info) {
  if (info.st_uid == 0 && (info.st_mode & kOthersMayWrite) == 0) return absl::OkStatus();
  return WithEvidence(
      MakeError(absl::StatusCode::kFailedPrecondition, Reason::kHookDirectoryUnsafe,
                info.st_uid != 0 ? absl::StrCat(directory, " belongs to uid ", info.st_uid,
                                                " instead of root: no hook is run")
                                 : absl::StrCat("others than root may write to ", directory,
                                                ": no hook is run")),
      "directory", directory);
}

// Every entry but "." and "..", sorted.
absl::StatusOr<std::map<std::string, struct stat>> ReadDirectory(const std::string& path) {
  const auto failed = [&] {
    return ErrnoError(errno, FileReason(errno), absl::StrCat("reading ", path));
  };
  FileDescriptor fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat info {};
  if (!fd.valid() || fstat(fd.get(), &info) != 0) return failed();
  HOSTQ_RETURN_IF_ERROR(CheckSafe(path, info));
  // Whoever can change what is above it can put another one in its place.
  if (const absl::Status trusted = CheckTrusted(path); !trusted.ok()) {
    return WithEvidence(
        MakeError(absl::StatusCode::kFailedPrecondition, Reason::kHookDirectoryUnsafe,
                  absl::StrCat(trusted.message(), ": no hook is run")),
        "directory", path);
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(fdopendir(dup(fd.get())), closedir);
  if (directory == nullptr) return failed();
  std::map<std::string, struct stat> entries;
  while (const dirent* entry = readdir(directory.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (fstatat(fd.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) entries[name] = info;
  }
  return entries;
}

class LinuxHooks final : public Hooks {
 public:
  absl::StatusOr<HookDirectory> List(const std::string& directory) override {
    HOSTQ_ASSIGN_OR_RETURN(const auto entries, ReadDirectory(directory));
    HookDirectory found;
    for (const auto& [name, info] : entries) {
      std::string why = WhyIgnored(name, info);
      absl::string_view hook = name;
      const bool reload = absl::ConsumeSuffix(&hook, ".reload");
      const auto owner = entries.find(std::string(hook));
      if (why.empty() && reload &&
          (owner == entries.end() || !WhyIgnored(hook, owner->second).empty())) {
        why = absl::StrCat("there is no hook ", hook);
      }
      if (!why.empty()) {
        found.ignored.push_back({name, why, WasMeant(hook, info) || (reload && IsHookName(hook))});
      } else if (reload) {
        found.reloads.insert(std::string(hook));
      } else {
        found.hooks.push_back(name);
      }
    }
    return found;
  }

  absl::StatusOr<HookOutcome> Run(const std::string& path, const std::string& input,
                                  absl::Duration timeout) override {
    return RunContained({path}, input, timeout);
  }
};

}  // namespace

std::unique_ptr<Hooks> MakeLinuxHooks() { return std::make_unique<LinuxHooks>(); }

}  // namespace hostq::agent
