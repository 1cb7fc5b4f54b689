#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/crypto/secret.h"

namespace hostq::manager {

// Who has signed in at the dashboard: in memory only, so that a restart signs everybody out. A
// session stands for what it was opened with, which admission looks at in each call anew.
// Thread-safe; does not block.
class WebSessions {
 public:
  struct Session {
    std::string id;  // by which it is ended; nothing that lets anybody in
    std::string actor;
    // Of an API key; nothing: opened with the certificate whose hash this is.
    std::optional<SecretString> key;
    std::string certificate_hash;
    // What a request that changes something has to repeat.
    std::string csrf_token;
    absl::Time expire_time;
  };
  using SessionPtr = std::shared_ptr<const Session>;
  struct Limits {
    absl::Duration life = absl::Hours(12);
    absl::Duration idle = absl::Hours(1);
    // Above them, the one that was used least recently ends: of the actor, or of all.
    size_t of_actor = 20;
    size_t all = 1'000;
  };
  // `clock` must outlive it.
  explicit WebSessions(Clock& clock) : WebSessions(clock, Limits()) {}
  WebSessions(Clock& clock, const Limits& limits) : clock_(clock), limits_(limits) {}

  struct Opened {
    SessionPtr session;
    SecretString token;  // the cookie
  };
  // With a key, or else a certificate (PEM).
  Opened Open(const std::string& actor, std::optional<SecretString> key,
              absl::string_view certificate_pem);
  // Null: there is none, it has ended, or it is one of a certificate that the connection does not
  // show. Counts as use.
  SessionPtr Find(absl::string_view token, absl::string_view certificate_pem);
  // Whether it still is; no use.
  bool Holds(const std::string& id);
  void End(const std::string& id);

 private:
  struct Entry {
    SessionPtr session;
    absl::Duration used;
  };
  bool IsOver(const Entry& entry) const;
  // Of those for whom `among` is true, if there are as many as `limit`.
  void EndOldest(absl::FunctionRef<bool(const Entry&)> among, size_t limit)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MakeRoom(const std::string& actor) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Clock& clock_;
  const Limits limits_;
  Mutex mutex_;
  absl::flat_hash_map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);  // by id
};

}  // namespace hostq::manager
