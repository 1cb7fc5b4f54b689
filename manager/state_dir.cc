#include "manager/state_dir.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "manager/access/authority_set.h"
#include "manager/access/certificate_authority.h"
#include "manager/access/outside_certificates.h"
#include "manager/store/sqlite/sqlite_store.h"

namespace hostq::manager {
namespace {

// Of an authority: nobody thinks of it again that soon.
constexpr absl::Duration kShortLife = absl::Hours(24 * 180);

absl::Status MakeDirectories(const std::string& path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const std::string parent = path.substr(0, slash);
    if (mkdir(parent.c_str(), 0755) != 0 && errno != EEXIST) {
      return ErrnoError(errno, Reason::kInternal, absl::StrCat("make directory ", parent));
    }
  }
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return ErrnoError(errno, Reason::kInternal, absl::StrCat("make directory ", path));
  }
  return absl::OkStatus();
}

// What root makes here could not be read by the manager, which is not root.
absl::Status BecomeOwner(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) {
    return ErrnoError(errno, Reason::kInternal, absl::StrCat("look at ", path));
  }
  if (!S_ISDIR(info.st_mode)) {
    return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kInternal,
                     absl::StrCat(path, " is no directory"));
  }
  if (geteuid() == 0 && info.st_uid != 0 &&
      (setgroups(0, nullptr) != 0 || setgid(info.st_gid) != 0 || setuid(info.st_uid) != 0)) {
    return ErrnoError(errno, Reason::kInternal, absl::StrCat("become the owner of ", path));
  }
  if ((info.st_mode & 077) != 0 && chmod(path.c_str(), 0700) != 0) {
    return ErrnoError(errno, Reason::kInternal, absl::StrCat("close ", path, " to other users"));
  }
  return absl::OkStatus();
}

bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

absl::Status AlreadyThere(absl::string_view what, absl::string_view advice) {
  return MakeError(absl::StatusCode::kAlreadyExists, Reason::kInternal,
                   absl::StrCat(what, " exists already and is never overwritten; ", advice));
}

// Before anything is made: after a refusal init can be run again with other files.
absl::Status CheckCertificates(const InitialCertificates& certificates, absl::Time now) {
  if (certificates.ca_pem.empty()) return absl::OkStatus();
  if (!certificates.ca_key_pem.empty()) {
    return CertificateAuthority::CheckImport(certificates.ca_pem, certificates.ca_key_pem, now);
  }
  return CheckOutside({certificates.ca_pem, certificates.server_pem, certificates.server_key_pem},
                      now);
}

absl::Status MakeAuthority(const ManagerConfig& config, const InitialCertificates& certificates,
                           absl::Time now) {
  const std::string& dir = config.state_dir;
  if (certificates.ca_pem.empty()) {
    return CertificateAuthority::Create(dir, config.cluster.name, now);
  }
  if (!certificates.ca_key_pem.empty()) {
    return AuthoritySet::CreateImported(dir, certificates.ca_pem, certificates.ca_key_pem, now);
  }
  return AuthoritySet::CreateOutside(dir, certificates.ca_pem, certificates.server_pem,
                                     certificates.server_key_pem, now);
}

std::string OutsideLines(const ManagerConfig& config, const std::string& database,
                         const AuthoritySet& set) {
  return absl::StrCat("made the cluster \"", config.cluster.name, "\":\n",  //
                      "  state directory  ", config.state_dir, "\n",        //
                      "  database         ", database, "\n",                //
                      "  authority        outside; pin ", set.pin(), "\n",  //
                      "the manager takes over what is replaced in ", config.state_dir,
                      "/ca: outside-ca.pem, outside-server.pem, outside-server.key\n",
                      "next: hostq-manager run, then: hostq node add NAME --role ROLE --address "
                      "ADDRESS\n");
}

}  // namespace

std::string DatabasePath(const std::string& state_dir) {
  return absl::StrCat(state_dir, "/hostq.db");
}

bool DatabaseExists(const std::string& state_dir) { return Exists(DatabasePath(state_dir)); }

absl::Status ProbeDatabase(const std::string& state_dir) {
  return SqliteStore::Probe(DatabasePath(state_dir));
}

absl::StatusOr<std::unique_ptr<StateLock>> StateLock::Take(const std::string& state_dir) {
  const std::string path = absl::StrCat(state_dir, "/manager.lock");
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return ErrnoError(errno, Reason::kStoreUnavailable, absl::StrCat("open ", path));
  std::unique_ptr<StateLock> lock(new StateLock(fd));
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno != EWOULDBLOCK) {
    return ErrnoError(errno, Reason::kInternal, absl::StrCat("lock ", path));
  }
  return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kInternal,
                   absl::StrCat("another manager uses ", state_dir));
}

StateLock::~StateLock() { close(fd_); }

absl::StatusOr<std::string> InitStateDir(const ManagerConfig& config,
                                         const InitialCertificates& certificates) {
  const std::string& dir = config.state_dir;
  HOSTQ_RETURN_IF_ERROR(MakeDirectories(dir));
  HOSTQ_RETURN_IF_ERROR(BecomeOwner(dir));
  HOSTQ_ASSIGN_OR_RETURN(const std::unique_ptr<StateLock> lock, StateLock::Take(dir));
  const std::string database = DatabasePath(dir);
  const std::string authority = absl::StrCat(dir, "/ca/ca.pem");
  if (AuthoritySet::Exists(dir)) {
    return AlreadyThere(absl::StrCat("the cluster's authority ", authority),
                        "start the manager with: hostq-manager run");
  }
  if (Exists(database)) {
    return AlreadyThere(
        database, absl::StrCat("but it has no authority: restore ", dir,
                               "/ca from the backup or, if an earlier init was interrupted, remove "
                               "the database and run init again"));
  }
  const absl::Time now = SystemClock().Now();
  HOSTQ_RETURN_IF_ERROR(CheckCertificates(certificates, now));
  // The authority last: with it the cluster exists.
  HOSTQ_RETURN_IF_ERROR(SqliteStore::Open(database).status());
  HOSTQ_RETURN_IF_ERROR(MakeAuthority(config, certificates, now));
  HOSTQ_ASSIGN_OR_RETURN(const auto set, AuthoritySet::Open(dir, config.cluster.name, now));
  if (!set->built_in()) return OutsideLines(config, database, *set);
  const auto ca = set->issuing();
  std::string soon;
  if (const absl::Duration left = ca->not_after() - now; left < kShortLife) {
    soon = absl::StrCat("warning: the authority ends in ", FormatAge(left),
                        ", and with it every certificate: replace it before, hostq authority "
                        "prepare\n");
  }
  return absl::StrCat("made the cluster \"", config.cluster.name, "\":\n",  //
                      "  state directory  ", dir, "\n",                     //
                      "  database         ", database, "\n",                //
                      "  authority        ", authority, ", valid until ",   //
                      absl::FormatTime("%Y-%m-%d", ca->not_after(), absl::UTCTimeZone()), "\n",
                      "  pin              ", ca->pin(), "\n", "keep a backup of ", dir,
                      "/ca: without its key no node can join\n", soon,
                      "next: hostq-manager run, then: hostq node add NAME --role ROLE --address "
                      "ADDRESS\n");
}

}  // namespace hostq::manager
