#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "agent/actions/steps.h"
#include "common/base/error.h"
#include "common/base/text.h"

namespace hostq::agent {
namespace {

absl::Status Bad(absl::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, Reason::kBadParameters, message);
}

bool IsShareName(absl::string_view name) {
  return !name.empty() && name.size() <= 63 && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
  });
}

}  // namespace

absl::Status CheckAccountUser(const Policy& policy, const v1::Account& account) {
  HOSTQ_RETURN_IF_ERROR(CheckUser(policy, account.user(), account.uid(), account.gid()));
  return CheckShell(policy, account.shell());
}

absl::Status CheckAccountHome(const Policy& policy, const v1::Account& account,
                              const Roles& roles) {
  HOSTQ_RETURN_IF_ERROR(CheckHome(policy, account.home()));
  if (account.quota_bytes() < 0) return Bad("the quota is negative");
  if (!account.has_share()) return absl::OkStatus();
  HOSTQ_RETURN_IF_ERROR(CheckShare(policy, account.share()));
  // There the homes lie below the exported directory itself.
  return roles.storage ? CheckMountPoint(policy, account.share().export_path()) : absl::OkStatus();
}

absl::Status CheckShare(const Policy& policy, const v1::Share& share) {
  if (!IsShareName(share.name())) {
    return Bad(absl::StrCat("the share's name ", Printable(share.name()), " is not a name"));
  }
  const std::string& version = share.nfs_version();
  if (version != "4.2" && version != "4.1" && version != "4.0" && version != "3") {
    return Bad(absl::StrCat("NFS version ", Printable(version), " is unknown"));
  }
  HOSTQ_RETURN_IF_ERROR(CheckShareSource(policy, share.server(), share.export_path()));
  return CheckMountPoint(policy, share.mount_point());
}

}  // namespace hostq::agent
