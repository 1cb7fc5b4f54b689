#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "agent/host/child.h"
#include "agent/host/file_descriptor.h"
#include "agent/host/linux_parts.h"
#include "agent/host/network.h"
#include "common/base/error.h"
#include "common/base/text.h"

namespace hostq::agent {
namespace {

constexpr uint64_t kLeastFree = 16 << 20;  // the journal's size limit; see agent/journal

bool Exists(const char* path) { return access(path, F_OK) == 0; }

// KEY="value" lines.
std::map<std::string, std::string> ReadOsRelease() {
  std::map<std::string, std::string> values;
  std::ifstream file("/etc/os-release");
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits('=', 1));
    if (parts.size() != 2) continue;
    absl::string_view value = parts[1];
    if (absl::ConsumePrefix(&value, "\"")) absl::ConsumeSuffix(&value, "\"");
    values[parts[0]] = std::string(value);
  }
  return values;
}

std::string FirstLine(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

bool KernelKnowsNfs() {
  std::ifstream file("/proc/filesystems");
  for (std::string line; std::getline(file, line);) {
    if (absl::EndsWith(line, "\tnfs4") || absl::EndsWith(line, "\tnfs")) return true;
  }
  return false;
}

class LinuxSystem final : public System {
 public:
  explicit LinuxSystem(const RealHostOptions& options) : journal_(options.journal_directory) {}

  absl::StatusOr<OsInfo> Os() override {
    utsname name = {};
    if (uname(&name) != 0)
      return ErrnoError(errno, Reason::kInternal, "asking for the system's name");
    auto release = ReadOsRelease();
    return OsInfo{release["PRETTY_NAME"], release["ID"], release["VERSION_ID"], name.release,
                  name.machine};
  }

  absl::StatusOr<uint64_t> Capabilities() override {
    std::ifstream file("/proc/self/status");
    for (std::string line; std::getline(file, line);) {
      absl::string_view rest = line;
      uint64_t bits = 0;
      if (absl::ConsumePrefix(&rest, "CapEff:\t") && absl::SimpleHexAtoi(rest, &bits)) return bits;
    }
    return MakeError(absl::StatusCode::kInternal, Reason::kInternal,
                     "/proc/self/status does not tell the capabilities");
  }

  bool InUserNamespace() override {
    std::ifstream file("/proc/self/uid_map");
    uint64_t inside = 0, outside = 0, count = 0;
    if (!(file >> inside >> outside >> count)) return false;
    return inside != 0 || outside != 0 || count != UINT32_MAX;  // user_namespaces(7)
  }

  // As systemd does (src/basic/virt.c).
  std::string Container() override {
    if (Exists("/proc/vz") && !Exists("/proc/bc")) return "openvz";
    for (const char* path : {"/run/host/container-manager", "/run/systemd/container"}) {
      if (const std::string kind = FirstLine(path); !kind.empty()) return Printable(kind, 32);
    }
    std::ifstream environment("/proc/1/environ");
    for (std::string variable; std::getline(environment, variable, '\0');) {
      absl::string_view value = variable;
      if (absl::ConsumePrefix(&value, "container=") && !value.empty()) return Printable(value, 32);
    }
    if (Exists("/run/.containerenv")) return "podman";
    if (Exists("/.dockerenv")) return "docker";
    return "";
  }

  absl::Status CheckNfs() override {
    if (KernelKnowsNfs()) return absl::OkStatus();
    const auto loaded = RunProgram({"modprobe", "nfsv4"}, absl::Seconds(20));
    if (KernelKnowsNfs()) return absl::OkStatus();
    const std::string why = loaded.ok() ? loaded->output : std::string(loaded.status().message());
    return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kKernelWithoutNfs,
                     absl::StrCat("the kernel has no NFS and the module cannot be loaded: ", why));
  }

  std::optional<std::string> FindTool(const std::string& name) override {
    for (const std::string& directory : ProgramDirectories()) {
      const std::string path = absl::StrCat(directory, "/", name);
      if (access(path.c_str(), X_OK) == 0) return path;
    }
    return std::nullopt;
  }

  absl::Status Connect(const std::string& server, int port, absl::Duration timeout) override {
    HOSTQ_ASSIGN_OR_RETURN(const SocketAddress to, Resolve(server, port));
    const int error = ConnectTcp(to, timeout);
    if (error == 0) return absl::OkStatus();
    return absl::UnavailableError(
        absl::StrCat("connecting to ", server, " port ", port, ": ", strerror(error)));
  }

  absl::StatusOr<absl::Duration> MeasureDisk() override {
    const std::string block(4096, 'x');
    const absl::Time start = absl::Now();
    // Without a name: whoever owns the directory could have put a link there under any name.
    const FileDescriptor file(open(journal_.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
    const bool written =
        file.valid() &&
        write(file.get(), block.data(), block.size()) == static_cast<ssize_t>(block.size()) &&
        fsync(file.get()) == 0;
    if (!written) {
      return ErrnoError(errno, Reason::kJournalUnavailable,
                        absl::StrCat("writing below ", journal_));
    }
    const absl::Duration taken = absl::Now() - start;
    struct statvfs info = {};
    const uint64_t free_bytes =
        statvfs(journal_.c_str(), &info) == 0 ? info.f_bavail * info.f_frsize : 0;
    if (free_bytes < kLeastFree) {
      return MakeError(absl::StatusCode::kResourceExhausted, Reason::kOutOfResources,
                       absl::StrCat("only ", FormatSize(static_cast<int64_t>(free_bytes)),
                                    " are free below ", journal_));
    }
    return taken;
  }

 private:
  const std::string journal_;
};

}  // namespace

std::unique_ptr<System> MakeLinuxSystem(const RealHostOptions& options) {
  return std::make_unique<LinuxSystem>(options);
}

}  // namespace hostq::agent
