#pragma once

#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>

#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"

namespace hostq::agent {

// Internal to this folder: libnl's objects with an owner, and its errors with a reason.
struct NetlinkDeleter {
  void operator()(nl_sock* socket) const { nl_socket_free(socket); }
  void operator()(nl_cache* cache) const { nl_cache_free(cache); }
  void operator()(nl_addr* address) const { nl_addr_put(address); }
  void operator()(rtnl_addr* address) const { rtnl_addr_put(address); }
  void operator()(nl_msg* message) const { nlmsg_free(message); }
};
template <typename T>
using Owned = std::unique_ptr<T, NetlinkDeleter>;

// Reasons: PERMISSION_DENIED, OUT_OF_RESOURCES, INTERNAL.
inline absl::Status NetlinkError(int error, absl::string_view what) {
  Reason reason = Reason::kInternal;
  auto code = absl::StatusCode::kInternal;
  if (error == -NLE_PERM || error == -NLE_NOACCESS) {
    reason = Reason::kPermissionDenied;
    code = absl::StatusCode::kPermissionDenied;
  } else if (error == -NLE_NOMEM) {
    reason = Reason::kOutOfResources;
    code = absl::StatusCode::kResourceExhausted;
  }
  return MakeError(code, reason, absl::StrCat(what, ": ", nl_geterror(error)));
}

}  // namespace hostq::agent
