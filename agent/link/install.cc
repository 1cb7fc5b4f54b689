#include "agent/link/install.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/crash_point.h"
#include "common/base/error.h"
#include "common/crypto/certificate.h"
#include "common/crypto/identity.h"
#include "common/crypto/secret_file.h"

namespace hostq::agent {
namespace {

constexpr absl::string_view kKey = "node.key";
constexpr absl::string_view kCertificate = "node.crt";

absl::Status SyncDirectory(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return ErrnoError(errno, Reason::kInternal, absl::StrCat("open ", path));
  const int synced = fsync(fd);
  const int number = errno;
  close(fd);
  if (synced != 0) return ErrnoError(number, Reason::kInternal, absl::StrCat("sync ", path));
  return absl::OkStatus();
}

// Everything, also files that were begun when a process was killed. Keys first, the certificate
// last: as long as that is there, the rest is a leftover.
void Remove(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;  // no such folder, for one
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    names.push_back(at->path().filename());
  }
  const auto turn = [](absl::string_view name) {
    return absl::StartsWith(name, kKey) ? 0 : name == kCertificate ? 2 : 1;
  };
  std::sort(names.begin(), names.end(),
            [&](const std::string& a, const std::string& b) { return turn(a) < turn(b); });
  for (const std::string& name : names) {
    unlink(absl::StrCat(directory, "/", name).c_str());
    CrashPoint("agent.identity_file_removed");
  }
}

// `pending` takes the place of the identity in one step.
absl::Status Install(const std::string& state_dir, const std::string& pending) {
  const std::string directory = IdentityDirectory(state_dir);
  if (rename(pending.c_str(), directory.c_str()) != 0) {
    if (errno != ENOTEMPTY && errno != EEXIST) {
      return ErrnoError(errno, Reason::kInternal, absl::StrCat("rename ", pending));
    }
    if (renameat2(AT_FDCWD, pending.c_str(), AT_FDCWD, directory.c_str(), RENAME_EXCHANGE) != 0) {
      return ErrnoError(errno, Reason::kInternal, absl::StrCat("exchange ", directory));
    }
    CrashPoint("agent.identity_installed");
    Remove(pending);
    rmdir(pending.c_str());
  }
  return SyncDirectory(state_dir);
}

absl::Status WriteAndInstall(const std::string& state_dir, const Identity& identity,
                             Pending pending) {
  const std::string directory = PendingDirectory(state_dir, pending);
  HOSTQ_RETURN_IF_ERROR(MakeDirectory(directory));
  const std::pair<absl::string_view, absl::string_view> files[] = {
      {kKey, identity.key_pem.Reveal()},
      {kCertificate, identity.certificate_pem},
      {"ca.crt", identity.ca_pem},
      {"manager", identity.manager_address},
      {"enrollment", identity.enrollment_address}};
  for (const auto& [name, contents] : files) {
    HOSTQ_RETURN_IF_ERROR(
        WriteFileDurably(absl::StrCat(directory, "/", name), contents, 0600, IfExists::kReplace));
    CrashPoint("agent.identity_file_written");
  }
  return Install(state_dir, directory);
}

// STATE_DIR must be locked.
absl::Status CheckInstalled(const std::string& state_dir, const Identity& identity) {
  HOSTQ_ASSIGN_OR_RETURN(const std::string installed,
                         ReadFile(absl::StrCat(IdentityDirectory(state_dir), "/", kCertificate)));
  if (installed == identity.certificate_pem) return absl::OkStatus();
  return absl::AbortedError("another certificate was installed meanwhile");
}

}  // namespace

std::string PendingDirectory(const std::string& state_dir, Pending pending) {
  return absl::StrCat(IdentityDirectory(state_dir), pending == Pending::kJoin ? ".new" : ".next");
}

void DropLeftovers(const std::string& directory) {
  if (access(absl::StrCat(directory, "/", kCertificate).c_str(), F_OK) == 0) Remove(directory);
}

void DropReplaced(const std::string& state_dir) {
  // Of two of one second the join with the higher incarnation is the later one.
  using Age = std::pair<absl::Time, int64_t>;
  const auto age = [](const std::string& directory) -> std::optional<Age> {
    const auto pem = ReadFile(absl::StrCat(directory, "/", kCertificate));
    if (!pem.ok()) return std::nullopt;
    const auto info = ParseCertificate(*pem);
    if (!info.ok() || info->uris.size() != 1) return std::nullopt;
    const auto node = ParseNodeUri(info->uris[0]);
    if (!node) return std::nullopt;
    return Age(info->not_before, node->incarnation);
  };
  const std::string pending = PendingDirectory(state_dir, Pending::kJoin);
  const std::optional<Age> there = age(pending);
  const std::optional<Age> installed = age(IdentityDirectory(state_dir));
  if (there && installed && *there < *installed) Remove(pending);
}

absl::Status MakeDirectory(const std::string& path) {
  if (mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return absl::OkStatus();
  return ErrnoError(errno, Reason::kInternal, absl::StrCat("mkdir ", path));
}

absl::StatusOr<PrivateKey> PendingKey(const std::string& directory) {
  const std::string path = absl::StrCat(directory, "/", kKey);
  if (auto pem = ReadSecretFile(path); pem.ok()) {
    if (auto key = PrivateKey::FromPem(*pem); key.ok()) return key;
  }
  const PrivateKey key = PrivateKey::Generate();
  HOSTQ_RETURN_IF_ERROR(WriteFileDurably(path, key.ToPem().Reveal(), 0600, IfExists::kReplace));
  return key;
}

absl::Status CheckIssued(const std::string& certificate_pem, const std::string& trusted_pem,
                         const PrivateKey& key) {
  const auto bad = [](absl::string_view what) {
    return MakeError(absl::StatusCode::kDataLoss, Reason::kInternal,
                     absl::StrCat("the manager's answer is not usable: ", what));
  };
  const auto certificate = ParseCertificate(certificate_pem);
  if (!certificate.ok()) return bad(certificate.status().message());
  if (certificate->key_hash != key.public_key().Hash()) {
    return bad("the certificate is for another key");
  }
  const absl::Status verified =
      VerifyCertificate(certificate_pem, trusted_pem, CertificateSpec::Use::kClient, absl::Now());
  if (verified.ok()) return verified;
  return bad(absl::StrCat(verified.message(), " (is this machine's clock right? ",
                          absl::FormatTime(absl::Now(), absl::UTCTimeZone()), ")"));
}

absl::Status InstallJoined(const std::string& state_dir, const Identity& identity) {
  HOSTQ_ASSIGN_OR_RETURN(const IdentityLock lock, IdentityLock::Take(state_dir));
  return WriteAndInstall(state_dir, identity, Pending::kJoin);
}

absl::Status InstallRenewed(const std::string& state_dir, const Identity& identity,
                            const Identity& former) {
  HOSTQ_ASSIGN_OR_RETURN(const IdentityLock lock, IdentityLock::Take(state_dir));
  if (const absl::Status status = CheckInstalled(state_dir, former); !status.ok()) {
    Remove(PendingDirectory(state_dir, Pending::kRenewal));  // a key for the former one
    return status;
  }
  return WriteAndInstall(state_dir, identity, Pending::kRenewal);
}

absl::Status InstallTrust(const std::string& state_dir, const Identity& identity,
                          const std::string& ca_pem, const std::string& enrollment_address) {
  HOSTQ_ASSIGN_OR_RETURN(const IdentityLock lock, IdentityLock::Take(state_dir));
  HOSTQ_RETURN_IF_ERROR(CheckInstalled(state_dir, identity));
  const std::string directory = IdentityDirectory(state_dir);
  HOSTQ_RETURN_IF_ERROR(WriteFileDurably(absl::StrCat(directory, "/enrollment"), enrollment_address,
                                         0600, IfExists::kReplace));
  return WriteFileDurably(absl::StrCat(directory, "/ca.crt"), ca_pem, 0600, IfExists::kReplace);
}

bool ShareAuthority(const std::string& one_pem, const std::string& other_pem) {
  const std::vector<std::string> one = PinsOf(one_pem);
  const std::vector<std::string> other = PinsOf(other_pem);
  return std::any_of(one.begin(), one.end(), [&](const std::string& pin) {
    return std::find(other.begin(), other.end(), pin) != other.end();
  });
}

}  // namespace hostq::agent
