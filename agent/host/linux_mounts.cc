#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "agent/host/child.h"
#include "agent/host/evidence.h"
#include "agent/host/file_descriptor.h"
#include "agent/host/linux_parts.h"
#include "agent/host/network.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

constexpr int kNfsPort = 2049;
// A server that is up answers a connection in milliseconds; a hard mount would wait for minutes.
constexpr absl::Duration kConnectTimeout = absl::Seconds(5);
// Longer than a server needs that is merely busy; short enough to be told while somebody waits for
// it.
constexpr absl::Duration kProbeTimeout = absl::Seconds(5);
constexpr absl::string_view kForGood = "hard,timeo=600,retrans=2";
// 2 s a try, two tries: a trial must fail while somebody watches.
constexpr absl::string_view kForTrial = "soft,timeo=20,retrans=1";

// Measured on Linux 6.1 with NFS 4.2 and 3. The target is known to be a directory.
Reason MountReason(int error_number, const std::string& version) {
  switch (error_number) {
    case ENOENT:  // v4: also an export that this client may not see
      return Reason::kShareExportMissing;
    case EACCES:  // v3 says this for a path that is not exported, too
      return Reason::kShareAccessDenied;
    case EPERM:
      return Reason::kPermissionDenied;
    case ENODEV:
      return Reason::kKernelWithoutNfs;
    case EBUSY:
      return Reason::kShareWrongSource;
    case ESTALE:
      return Reason::kShareStale;
    case EINVAL:
      return Reason::kBadParameters;
    case ENOTDIR:
      return version == "3" ? Reason::kMountPointMissing : Reason::kShareExportMissing;
    case ENOMEM:
      return Reason::kOutOfResources;
    default:  // ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, EIO, EPROTONOSUPPORT, ...
      return Reason::kShareServerUnreachable;
  }
}

int LookInside(const std::string& directory) {
  struct statfs info = {};
  if (statfs(directory.c_str(), &info) != 0) return errno;
  DIR* const stream = opendir(directory.c_str());
  if (stream == nullptr) return errno;
  errno = 0;
  const bool read = readdir(stream) != nullptr;
  const int error_number = errno;
  closedir(stream);
  return read ? 0 : error_number;
}

absl::Status ProbeStatus(const ChildOutcome& outcome, const std::string& target) {
  const std::string what = absl::StrCat("looking into ", target);
  if (outcome.killed) {
    const absl::Status silent =
        MakeError(absl::StatusCode::kUnavailable, Reason::kShareUnresponsive,
                  absl::StrCat(what, ": no answer in ", absl::FormatDuration(kProbeTimeout)));
    // Empty if the child could be killed, as it can while it waits for an NFS server.
    return outcome.stuck_in.empty() ? silent : WithEvidence(silent, "stuck_in", outcome.stuck_in);
  }
  switch (outcome.error_number) {
    case 0:
      return absl::OkStatus();
    case EACCES:
    case EPERM:
      return ErrnoError(outcome.error_number, Reason::kShareAccessDenied, what);
    case ESTALE:
      return ErrnoError(ESTALE, Reason::kShareStale, what);
    default:
      return ErrnoError(outcome.error_number, Reason::kShareUnresponsive, what);
  }
}

class LinuxMounts final : public Mounts {
 public:
  LinuxMounts(const RealHostOptions& options, Files& files)
      : scratch_(absl::StrCat(options.run_directory, "/trial")), files_(files) {}

  absl::StatusOr<std::vector<Mount>> List() override {
    std::ifstream file("/proc/self/mountinfo");
    std::stringstream text;
    text << file.rdbuf();
    if (!file) {
      return MakeError(absl::StatusCode::kInternal, Reason::kInternal,
                       "/proc/self/mountinfo cannot be read");
    }
    return ParseMountInfo(text.str());
  }

  absl::StatusOr<std::string> ResolveServer(const std::string& server) override {
    HOSTQ_ASSIGN_OR_RETURN(const SocketAddress address, Resolve(server, kNfsPort));
    return NumericHost(address);
  }

  absl::Status MountNfs(const NfsMount& mount) override {
    struct stat info = {};
    if (lstat(mount.target.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
      return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kMountPointMissing,
                       absl::StrCat("the mount point ", mount.target, " is not a directory"));
    }
    return MountAtTarget(mount, mount.target, MS_NOSUID | MS_NODEV, kForGood);
  }

  absl::Status TryNfs(const NfsMount& mount, bool write) override {
    if (unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      return ErrnoError(errno, Reason::kPermissionDenied, "making a mount namespace for a trial");
    }
    HOSTQ_RETURN_IF_ERROR(MakeDirectories(scratch_));
    const unsigned long flags = (write ? 0UL : unsigned{MS_RDONLY}) | MS_NOSUID | MS_NODEV;
    HOSTQ_RETURN_IF_ERROR(MountAtTarget(mount, scratch_, flags, kForTrial));
    absl::Status result = Probe(scratch_);
    if (result.ok() && write) result = files_.ProbeWrite(scratch_);
    umount2(scratch_.c_str(), UMOUNT_NOFOLLOW | MNT_DETACH);
    return result;
  }

  absl::Status Unmount(const std::string& target) override {
    if (umount2(target.c_str(), UMOUNT_NOFOLLOW) == 0) return absl::OkStatus();
    switch (errno) {
      case EINVAL:  // not a mount point
      case ENOENT:
        return absl::OkStatus();
      case EBUSY:
        return ErrnoError(EBUSY, Reason::kShareBusy, absl::StrCat("unmounting ", target));
      case EPERM:
        return ErrnoError(EPERM, Reason::kPermissionDenied, absl::StrCat("unmounting ", target));
      default:
        return ErrnoError(errno, Reason::kInternal, absl::StrCat("unmounting ", target));
    }
  }

  absl::Status Probe(const std::string& target) override {
    return ProbeStatus(RunInChild(kProbeTimeout, [&] { return LookInside(target); }), target);
  }

 private:
  // The kernel mounts every version without help, but resolves no names and needs to be told the
  // addresses (without addr= it says EINVAL).
  absl::Status MountAtTarget(const NfsMount& mount, const std::string& target, unsigned long flags,
                             absl::string_view behaviour) {
    const std::string source = NfsSource(mount.server, mount.export_path);
    HOSTQ_ASSIGN_OR_RETURN(const SocketAddress address, Resolve(mount.server, kNfsPort));
    const std::string server = NumericHost(address);
    if (const int error = ConnectTcp(address, kConnectTimeout); error != 0) {
      return WithEvidence(
          WithEvidence(ErrnoError(error, Reason::kShareServerUnreachable,
                                  absl::StrCat("connecting to ", mount.server, " port 2049")),
                       "server", server),
          "source", source);
    }
    HOSTQ_ASSIGN_OR_RETURN(const std::string local, LocalAddressTowards(address));
    const std::string data =
        mount.version == "3" ? absl::StrCat("vers=3,proto=tcp,addr=", server, ",mountaddr=", server,
                                            ",mountproto=tcp,nolock,", behaviour)
                             : absl::StrCat("vers=", mount.version, ",addr=", server,
                                            ",clientaddr=", local, ",", behaviour);
    if (::mount(source.c_str(), target.c_str(), "nfs", flags, data.c_str()) == 0) {
      return absl::OkStatus();
    }
    const int error = errno;
    return WithEvidence(WithEvidence(ErrnoError(error, MountReason(error, mount.version),
                                                absl::StrCat("mounting ", source, " on ", target)),
                                     "source", source),
                        "options", data);
  }

  const std::string scratch_;
  Files& files_;
};

}  // namespace

std::unique_ptr<Mounts> MakeLinuxMounts(const RealHostOptions& options, Files& files) {
  return std::make_unique<LinuxMounts>(options, files);
}

}  // namespace hostq::agent
