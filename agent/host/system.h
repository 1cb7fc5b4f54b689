#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace hostq::agent {

struct OsInfo {
  std::string name;     // "Debian GNU/Linux 12 (bookworm)"
  std::string id;       // "debian"
  std::string version;  // "12"
  std::string kernel;   // "6.1.0-18-amd64"
  std::string machine;  // "x86_64"
};

// The bits of linux/capability.h that the agent needs.
enum class Capability {
  kChown = 0,
  kDacOverride = 1,
  kFowner = 3,
  kKill = 5,
  kSetuid = 7,
  kNetBindService = 10,
  kNetAdmin = 12,
  kNetRaw = 13,
  kSysAdmin = 21,
  kSysResource = 24,
};

// What preflight wants to know of the machine.
class System {
 public:
  virtual ~System() = default;
  virtual absl::StatusOr<OsInfo> Os() = 0;
  // Of this process, one bit each.
  virtual absl::StatusOr<uint64_t> Capabilities() = 0;
  // Whether those hold for this namespace of users only: not for the kernel's mounts and quotas.
  virtual bool InUserNamespace() = 0;
  // "lxc", "docker", "openvz", ...; empty if this is no container as far as can be seen.
  virtual std::string Container() = 0;
  // Whether the kernel can mount NFS now, after trying to load the module. KERNEL_WITHOUT_NFS.
  virtual absl::Status CheckNfs() = 0;
  // Full path of a program in the system's directories; nothing if it is not installed.
  virtual std::optional<std::string> FindTool(const std::string& name) = 0;
  // Whether a TCP connection opens. UNAVAILABLE without a reason if not.
  virtual absl::Status Connect(const std::string& server, int port, absl::Duration timeout) = 0;
  // How long it takes to write 4 KiB durably where the agent keeps its state.
  // JOURNAL_UNAVAILABLE if that cannot be done, OUT_OF_RESOURCES if less than 16 MiB are free
  // there.
  virtual absl::StatusOr<absl::Duration> MeasureDisk() = 0;
};

}  // namespace hostq::agent
