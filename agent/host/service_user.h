#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hostq::agent {

// The user that the agent's process belongs to.
struct ServiceUser {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
};

// NOT_FOUND, with how to make it; INVALID_ARGUMENT: it is root.
absl::StatusOr<ServiceUser> FindServiceUser(const std::string& name);

// Makes `directory`, mode 0700, of that user's. One that root made before is handed over, with the
// files in it; anybody else's is an error (FAILED_PRECONDITION).
absl::Status HandOver(const std::string& directory, const ServiceUser& user);

// This process becomes that user's for good: no capability, no other group, no way back, also not
// by running a program (PR_SET_NO_NEW_PRIVS). Before any thread exists; only as root.
absl::Status Become(const ServiceUser& user);

}  // namespace hostq::agent
