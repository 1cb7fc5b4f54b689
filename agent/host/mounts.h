#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hostq::agent {

// One line of /proc/self/mountinfo, unescaped.
struct Mount {
  int id = 0;
  std::string root;         // what of the file system is mounted: "/" unless it is a bind mount
  std::string mount_point;  // resolved: never a symbolic link
  std::string options;      // of the mount: "rw,nosuid"
  std::string fs_type;      // "ext4", "nfs4"
  std::string source;       // "/dev/vdb1", "10.0.0.1:/chroot/home"
  std::string super_options;
  // The directory was renamed or removed beneath the mount.
  bool deleted = false;

  bool nfs() const { return fs_type == "nfs" || fs_type == "nfs4"; }
  // The value of a super option: Option("vers") is "4.2"; empty if it has none.
  std::string Option(absl::string_view name) const;
};

// Lines in mountinfo's format. Malformed lines are left out.
std::vector<Mount> ParseMountInfo(absl::string_view text);
// The mount on top of exactly `path`; null if there is none.
const Mount* MountAt(const std::vector<Mount>& mounts, absl::string_view path);
// The mount in which `path` lies; null only if `mounts` has no "/".
const Mount* MountContaining(const std::vector<Mount>& mounts, absl::string_view path);

// What to mount, and where.
struct NfsMount {
  std::string server;  // an address or a name
  std::string export_path;
  std::string version;  // "4.2", "4.1", "3"
  std::string target;   // a directory that is no symbolic link
};

// "10.0.0.1:/chroot/home", "[2001:db8::1]:/x".
std::string NfsSource(absl::string_view server, absl::string_view export_path);
// Whether `mount` is of `export_path` on `server`, of which `server_address` is the address.
bool IsNfsOf(const Mount& mount, absl::string_view server, absl::string_view server_address,
             absl::string_view export_path);

// The seam to mounts. Blocking; errors carry a Reason and evidence.
class Mounts {
 public:
  virtual ~Mounts() = default;

  // Every mount of this process's namespace, lower before upper. Never touches a file server.
  virtual absl::StatusOr<std::vector<Mount>> List() = 0;

  // The numeric address of a server. UNAVAILABLE with SHARE_SERVER_UNREACHABLE if it has none.
  virtual absl::StatusOr<std::string> ResolveServer(const std::string& server) = 0;

  // Mounts for good: hard, nosuid, nodev. Gives up within 5 s if the server's port does not answer.
  // Reasons: SHARE_SERVER_UNREACHABLE, SHARE_EXPORT_MISSING, SHARE_ACCESS_DENIED, SHARE_STALE,
  // MOUNT_POINT_MISSING, KERNEL_WITHOUT_NFS, PERMISSION_DENIED, BAD_PARAMETERS; SHARE_WRONG_SOURCE
  // if the kernel says busy (something of that server is mounted there already).
  virtual absl::Status MountNfs(const NfsMount& mount) = 0;

  // Mounts softly (fails within seconds) at a scratch directory in a mount namespace of its own
  // that ends with this process, read-only unless `write`, looks inside, unmounts. `target` is not
  // used. With `write`, also creates, chowns and removes a hidden file (see Files::ProbeWrite).
  virtual absl::Status TryNfs(const NfsMount& mount, bool write) = 0;

  // Never forced, never lazy. OK if nothing is mounted there. Reasons: SHARE_BUSY.
  virtual absl::Status Unmount(const std::string& target) = 0;

  // Whether what is mounted at `target` answers: asks it from a child that is killed after 10 s.
  // Reasons: SHARE_UNRESPONSIVE, SHARE_STALE, SHARE_ACCESS_DENIED.
  virtual absl::Status Probe(const std::string& target) = 0;
};

}  // namespace hostq::agent
