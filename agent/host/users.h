#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hostq::agent {

struct User {
  std::string name;
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::string home;
  std::string shell;
  // No password opens it.
  bool locked = true;
};

struct Group {
  std::string name;
  uint32_t gid = 0;
};

// The node's own users (/etc/passwd and its companions), changed by the system's own tools. Errors:
// ACCOUNT_DATABASE_LOCKED, UID_TAKEN, USER_NAME_TAKEN, GID_TAKEN, TOOL_MISSING, PERMISSION_DENIED,
// INTERNAL; the message has the tool's own words.
class Users {
 public:
  virtual ~Users() = default;
  // Everybody; needs no privileges, and so does not tell who is locked.
  virtual absl::StatusOr<std::vector<User>> List() = 0;
  virtual absl::StatusOr<std::optional<User>> FindUser(const std::string& name) = 0;
  virtual absl::StatusOr<std::optional<User>> FindUserByUid(uint32_t uid) = 0;
  virtual absl::StatusOr<std::optional<Group>> FindGroup(const std::string& name) = 0;
  virtual absl::StatusOr<std::optional<Group>> FindGroupByGid(uint32_t gid) = 0;

  virtual absl::Status AddGroup(const Group& group) = 0;
  virtual absl::Status RemoveGroup(const std::string& name) = 0;
  // Makes no home and no group; the password is locked.
  virtual absl::Status AddUser(const User& user) = 0;
  // Leaves the home alone.
  virtual absl::Status RemoveUser(const std::string& name) = 0;
  virtual absl::Status SetHome(const std::string& name, const std::string& home) = 0;
  virtual absl::Status SetShell(const std::string& name, const std::string& shell) = 0;
  virtual absl::Status Lock(const std::string& name) = 0;
  virtual absl::Status Unlock(const std::string& name) = 0;

  // Kills every process of the user and waits up to 5 s until none is left; their number. Refuses
  // uids below 1000 with NOT_ALLOWED_BY_POLICY.
  virtual absl::StatusOr<int> EndProcesses(uint32_t uid) = 0;
};

}  // namespace hostq::agent
