#include <fcntl.h>
#include <linux/dqblk_xfs.h>
#include <linux/quota.h>
#include <sys/syscall.h>

#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"
#include "agent/host/evidence.h"
#include "agent/host/file_descriptor.h"
#include "agent/host/linux_parts.h"
#include "agent/host/rquota.h"
#include "common/base/error.h"

namespace hostq::agent {

QuotaBackend QuotaBackendOf(const Mount& mount) {
  if (mount.nfs()) return QuotaBackend::kRquota;
  for (const absl::string_view type :
       {"ext2", "ext3", "ext4", "xfs", "f2fs", "jfs", "ocfs2", "gfs2"}) {
    if (mount.fs_type == type) return QuotaBackend::kKernel;
  }
  return QuotaBackend::kNone;
}

namespace {

constexpr int64_t kKernelBlock = QIF_DQBLKSIZE;

// quotactl on a mounted file system: 0 or errno. quotactl_fd (Linux 5.14) needs no device name.
int QuotaControl(const Mount& mount, unsigned command, uint32_t id, void* argument) {
  const FileDescriptor directory(
      open(mount.mount_point.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return errno;
  const unsigned request = QCMD(command, USRQUOTA);
#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif
  if (syscall(SYS_quotactl_fd, directory.get(), request, id, argument) == 0) return 0;
  if (errno != ENOSYS) return errno;
  return syscall(SYS_quotactl, request, mount.source.c_str(), id, argument) == 0 ? 0 : errno;
}

absl::Status QuotaError(int error_number, const Mount& mount, absl::string_view what) {
  Reason reason = Reason::kInternal;
  switch (error_number) {
    case ESRCH:  // quotas are off, or the kernel lacks the format
      reason = Reason::kQuotaNotEnabled;
      break;
    case ENOSYS:
    case EOPNOTSUPP:
    case ENOTBLK:
      reason = Reason::kQuotaUnsupportedFilesystem;
      break;
    case EPERM:
    case EACCES:
      reason = Reason::kPermissionDenied;
      break;
    case ERANGE:
      reason = Reason::kQuotaTooLarge;
      break;
    case EROFS:
      reason = Reason::kShareReadOnly;
      break;
    default:
      break;
  }
  return WithEvidence(
      WithEvidence(ErrnoError(error_number, reason, absl::StrCat(what, " on ", mount.mount_point)),
                   "filesystem", mount.fs_type),
      "device", mount.source);
}

absl::Status Unsupported(const Mount& mount) {
  return WithEvidence(
      MakeError(absl::StatusCode::kFailedPrecondition, Reason::kQuotaUnsupportedFilesystem,
                absl::StrCat(mount.fs_type, " on ", mount.mount_point, " has no user quotas")),
      "filesystem", mount.fs_type);
}

// The path rquotad is to be told: as the client mounted it; for NFS 4 below the pseudo root, so
// without the leading slash.
std::string RquotaPath(const Mount& mount) {
  const size_t colon = mount.source.find(":/");
  std::string path = colon == std::string::npos ? "/" : mount.source.substr(colon + 1);
  if (mount.fs_type == "nfs4") path.erase(0, 1);
  return path;
}

class LinuxQuotas final : public Quotas {
 public:
  QuotaBackend BackendOf(const Mount& mount) override { return QuotaBackendOf(mount); }

  absl::StatusOr<Quota> Get(const Mount& mount, uint32_t uid) override {
    switch (QuotaBackendOf(mount)) {
      case QuotaBackend::kNone:
        return Unsupported(mount);
      case QuotaBackend::kRquota:
        return Client(mount).Get(RquotaPath(mount), uid);
      default:
        break;
    }
    if_dqblk block = {};
    if (const int error = QuotaControl(mount, Q_GETQUOTA, uid, &block); error != 0) {
      return QuotaError(error, mount, absl::StrCat("reading the quota of uid ", uid));
    }
    return Quota{static_cast<int64_t>(block.dqb_bhardlimit) * kKernelBlock,
                 static_cast<int64_t>(block.dqb_bsoftlimit) * kKernelBlock,
                 static_cast<int64_t>(block.dqb_curspace), kKernelBlock};
  }

  absl::Status Set(const Mount& mount, uint32_t uid, int64_t bytes) override {
    switch (QuotaBackendOf(mount)) {
      case QuotaBackend::kNone:
        return Unsupported(mount);
      case QuotaBackend::kRquota:
        return Client(mount).Set(RquotaPath(mount), uid, bytes);
      default:
        break;
    }
    if_dqblk block = {};
    block.dqb_bhardlimit =
        static_cast<uint64_t>(bytes / kKernelBlock + (bytes % kKernelBlock != 0 ? 1 : 0));
    block.dqb_valid = QIF_BLIMITS;
    if (const int error = QuotaControl(mount, Q_SETQUOTA, uid, &block); error != 0) {
      return QuotaError(error, mount, absl::StrCat("setting the quota of uid ", uid));
    }
    return absl::OkStatus();
  }

  absl::Status CheckSettable(const Mount& mount) override {
    if (QuotaBackendOf(mount) == QuotaBackend::kRquota) return Client(mount).CheckSettable();
    return CheckEnforced(mount);
  }

  absl::Status CheckEnforced(const Mount& mount) override {
    switch (QuotaBackendOf(mount)) {
      case QuotaBackend::kNone:
        return Unsupported(mount);
      case QuotaBackend::kRquota:
        return Client(mount).Get(RquotaPath(mount), 0).status();
      default:
        break;
    }
    // XFS's own call, which Linux answers for every file system that has quotas: Q_GETINFO does not
    // tell accounting from enforcing.
    fs_quota_statv state = {};
    state.qs_version = FS_QSTATV_VERSION1;
    if (const int error = QuotaControl(mount, Q_XGETQSTATV, 0, &state); error != 0) {
      return QuotaError(error, mount, "reading the state of quotas");
    }
    if ((state.qs_flags & FS_QUOTA_UDQ_ENFD) != 0) return absl::OkStatus();
    const bool counted = (state.qs_flags & FS_QUOTA_UDQ_ACCT) != 0;
    return WithEvidence(MakeError(absl::StatusCode::kFailedPrecondition, Reason::kQuotaNotEnabled,
                                  absl::StrCat("user quotas on ", mount.mount_point, " are ",
                                               counted ? "counted but not enforced" : "off")),
                        "device", mount.source);
  }

  absl::Status CheckService(absl::string_view server) override {
    RquotaClient::Options options;
    options.server = std::string(server);
    return RquotaClient(options).CheckRegistered();
  }

 private:
  static RquotaClient Client(const Mount& mount) {
    RquotaClient::Options options;
    options.server = mount.Option("addr");
    if (options.server.empty()) options.server = mount.source.substr(0, mount.source.find(":/"));
    return RquotaClient(options);
  }
};

}  // namespace

std::unique_ptr<Quotas> MakeLinuxQuotas() { return std::make_unique<LinuxQuotas>(); }

}  // namespace hostq::agent
