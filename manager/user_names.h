#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>

namespace hostq::manager {

// Names of users by uid, as the system knows them (NSS), which may ask a directory on the network
// that does not answer: then nobody waits for it longer than a second, and only the first who asks.
// Of() is for one thread.
class UserNames {
 public:
  // Empty: there is no such user. May block for ever.
  using Lookup = std::function<std::string(uid_t)>;
  static std::string FromSystem(uid_t uid);

  explicit UserNames(Lookup lookup = FromSystem);
  // Waits for a lookup that is under way as long as Of() does; then that is left alone.
  ~UserNames();
  UserNames(const UserNames&) = delete;
  UserNames& operator=(const UserNames&) = delete;

  // "uid 1234" if there is none, or none in time. What is older than a minute is looked up again,
  // and holds meanwhile.
  std::string Of(uid_t uid);

 private:
  struct Shared;  // with the thread, which may outlive this
  static void Run(Shared& shared);

  const std::shared_ptr<Shared> shared_;
  std::thread thread_;
};

}  // namespace hostq::manager
