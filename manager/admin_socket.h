#pragma once

#include <string>

#include "absl/status/status.h"

namespace hostq::manager {

// The local socket of administrators: who may open it may do everything.

// Before listening: the directory is there, the path fits, the group exists, and no other manager
// answers on the socket; one that a dead manager left is removed. Blocks shortly.
// Errors: FAILED_PRECONDITION, INVALID_ARGUMENT, or what the system says.
absl::Status PrepareAdminSocket(const std::string& path, const std::string& group);

// After listening: 0660 and `group`, or 0600 if that is empty. Until then it must have been made
// with a umask of 0177 at least (RestrictedUmask).
absl::Status OpenAdminSocket(const std::string& path, const std::string& group);

// While it lives, files are made for this user only. The umask is one for the whole process.
class RestrictedUmask {
 public:
  RestrictedUmask();
  ~RestrictedUmask();
  RestrictedUmask(const RestrictedUmask&) = delete;
  RestrictedUmask& operator=(const RestrictedUmask&) = delete;

 private:
  const unsigned old_;
};

}  // namespace hostq::manager
