#include "agent/actions/share_note.h"

#include "absl/strings/str_cat.h"
#include "agent/host/evidence.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

constexpr char kIntent[] = "intent";

std::string NoteName(const v1::Share& share) { return absl::StrCat("mounted/", share.name()); }

// The kernel's id of a mount is not given to another before the next boot has a new id anyway, or
// only after it is gone: with the source it is proof enough.
std::string Describe(const Mount& mount) {
  return absl::StrCat(mount.id, " ", mount.source, " ", mount.mount_point);
}

}  // namespace

absl::Status NoteIntent(Host& host, const v1::Share& share) {
  return host.notes().Write(NoteLife::kUntilReboot, NoteName(share), kIntent);
}

absl::Status AdoptMount(Host& host, const v1::Share& share, const Mount& mount) {
  HOSTQ_ASSIGN_OR_RETURN(const auto note,
                         host.notes().Read(NoteLife::kUntilReboot, NoteName(share)));
  if (!note || *note != kIntent) return absl::OkStatus();
  return host.notes().Write(NoteLife::kUntilReboot, NoteName(share), Describe(mount));
}

absl::StatusOr<bool> IsOurs(Host& host, const v1::Share& share, const Mount& mount) {
  HOSTQ_ASSIGN_OR_RETURN(const auto note,
                         host.notes().Read(NoteLife::kUntilReboot, NoteName(share)));
  return note && (*note == kIntent || *note == Describe(mount));
}

absl::Status ForgetMount(Host& host, const v1::Share& share) {
  return host.notes().Remove(NoteLife::kUntilReboot, NoteName(share));
}

absl::Status CheckHomeLayout(Host& host) {
  HOSTQ_ASSIGN_OR_RETURN(const auto mounts, host.mounts().List());
  std::string found;
  if (const Mount* const mount = MountAt(mounts, "/home")) {
    found = absl::StrCat(mount->source, " is mounted on /home itself");
  } else {
    const auto target = host.files().ReadLink("/home");
    if (!target.ok()) {
      found = std::string(target.status().message());
    } else if (!*target) {
      found = "/home is a directory";
    } else if (**target == "/chroot/home" || **target == "chroot/home" ||
               **target == "/chroot/home/") {
      return absl::OkStatus();
    } else {
      found = absl::StrCat("/home is a link to ", **target);
    }
  }
  return WithEvidence(
      MakeError(absl::StatusCode::kFailedPrecondition, Reason::kHomeLayout,
                absl::StrCat("/home has to be a symbolic link to /chroot/home: ", found)),
      "found", found);
}

}  // namespace hostq::agent
