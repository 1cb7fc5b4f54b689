#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/mutex.h"
#include "common/crypto/secret.h"
#include "manager/access/api_key.h"

namespace hostq::manager {

// The API keys as the API's threads see them: changed after the commit that changes them, and
// before that is answered, so that what was answered holds for the next request. Thread-safe; does
// not block.
class KeyRing {
 public:
  struct Options {
    // For keys that say nothing themselves.
    double requests_per_second = 50;
    int max_unfinished = 1'000;
  };
  explicit KeyRing(const Options& options) : options_(options) {}

  // Adds a key or changes it.
  void Put(ApiKey key);

  // Who was let in, and with which secret.
  struct Admitted {
    std::shared_ptr<const ApiKey> key;
    std::string secret_hash;
  };
  // Of a failure: the name of the key whose secret was wrong; or the actor of the one whose secret
  // was right, and which is not let in all the same. Or nothing.
  struct Failure {
    std::string guessed_name;
    std::string actor;
  };
  // As CheckApiKey.
  absl::StatusOr<Admitted> Admit(const SecretString& text, absl::string_view source, absl::Time now,
                                 Failure& failure) const;
  // Whether it is still let in: for streams. Errors: as CheckStillValid.
  absl::Status Recheck(absl::string_view id, absl::string_view secret_hash, absl::Time now) const;

  // One request of the key. Errors: RESOURCE_EXHAUSTED (RATE_LIMITED), with the delay.
  absl::Status Spend(absl::string_view id, absl::Duration monotonic);
  int MaxUnfinished(const ApiKey& key) const {
    return key.max_unfinished > 0 ? key.max_unfinished : options_.max_unfinished;
  }

  struct Use {
    absl::Time time = absl::InfinitePast();
    std::string source;
  };
  // The key was used. True: that should be written down, which was not done for ten minutes.
  bool Used(absl::string_view id, absl::string_view source, absl::Time now);
  // InfinitePast: not since the start.
  Use LastUse(absl::string_view id) const;

 private:
  struct Entry {
    std::shared_ptr<const ApiKey> key;
    double level = 0;
    absl::Duration level_time;
    bool spent = false;  // level is meaningful
    Use use;
    absl::Time written = absl::InfinitePast();
  };
  const Options options_;
  mutable Mutex mutex_;
  absl::flat_hash_map<std::string, Entry> keys_ ABSL_GUARDED_BY(mutex_);  // by id
};

// Counts failures by subject within an hour from the first. Bounded: when it is full, those of an
// hour ago are forgotten, and if there are none, new subjects are counted together. Thread-safe.
class FailureCounter {
 public:
  // How many there are with this one.
  int Count(absl::string_view subject, absl::Duration monotonic);

 private:
  struct Failures {
    int count = 0;
    absl::Duration since;
  };
  void Forget(absl::Duration monotonic) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Mutex mutex_;
  absl::flat_hash_map<std::string, Failures> failures_ ABSL_GUARDED_BY(mutex_);
  absl::Duration forgot_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
};

// The certificates of administrators that are let in, by what is all in them: a serial number can
// be copied by whoever has the authority's key. As KeyRing.
class AdministratorRing {
 public:
  struct Entry {
    std::string name;
    std::string certificate_hash;
    std::string authority;  // the pin of who signed it
    absl::Time expire_time;
    bool revoked = false;
  };
  // Replaces what is known of the administrator.
  void Put(Entry entry);
  // The pins of the authorities whose certificates count from now on.
  void Trust(std::vector<std::string> authorities);
  // Errors: UNAUTHENTICATED (UNAUTHENTICATED): not known, another certificate, expired, revoked, of
  // an authority that is trusted no more.
  absl::Status Check(absl::string_view name, absl::string_view certificate_hash,
                     absl::Time now) const;
  // Whether it is the administrator's newest certificate, also if it is not let in any more.
  bool IsNewest(absl::string_view name, absl::string_view certificate_hash) const;

 private:
  mutable Mutex mutex_;
  absl::flat_hash_map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);  // by name
  std::vector<std::string> authorities_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hostq::manager
