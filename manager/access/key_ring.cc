#include "manager/access/key_ring.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/crypto/hash.h"

namespace hostq::manager {
namespace {

constexpr absl::Duration kWriteUse = absl::Minutes(10);
constexpr absl::Duration kFailureWindow = absl::Hours(1);
constexpr size_t kMaxSubjects = 10'000;
// What all share who came when the table was full.
constexpr char kOthers[] = "*";

}  // namespace

void KeyRing::Put(ApiKey key) {
  const MutexLock lock(mutex_);
  Entry& entry = keys_[key.id];
  entry.key = std::make_shared<const ApiKey>(std::move(key));
}

absl::StatusOr<KeyRing::Admitted> KeyRing::Admit(const SecretString& text, absl::string_view source,
                                                 absl::Time now, Failure& failure) const {
  HOSTQ_ASSIGN_OR_RETURN(const ApiKeyParts parts, ParseApiKey(text));
  std::shared_ptr<const ApiKey> key;
  {
    const MutexLock lock(mutex_);
    if (const auto found = keys_.find(parts.id); found != keys_.end()) key = found->second.key;
  }
  bool guessed = false;
  const absl::Status status = CheckApiKey(parts, key.get(), source, now, guessed);
  if (status.ok()) return Admitted{std::move(key), Sha256(parts.secret)};
  if (key != nullptr && guessed) failure.guessed_name = key->name;
  if (key != nullptr && !guessed) failure.actor = key->actor();
  return status;
}

absl::Status KeyRing::Recheck(absl::string_view id, absl::string_view secret_hash,
                              absl::Time now) const {
  std::shared_ptr<const ApiKey> key;
  {
    const MutexLock lock(mutex_);
    if (const auto found = keys_.find(id); found != keys_.end()) key = found->second.key;
  }
  if (key != nullptr) return CheckStillValid(*key, secret_hash, now);
  return MakeError(absl::StatusCode::kUnauthenticated, Reason::kKeyRevoked,
                   "the API key is no more");
}

absl::Status KeyRing::Spend(absl::string_view id, absl::Duration monotonic) {
  const MutexLock lock(mutex_);
  const auto found = keys_.find(id);
  if (found == keys_.end()) return absl::OkStatus();
  Entry& entry = found->second;
  const double rate = entry.key->requests_per_second > 0 ? entry.key->requests_per_second
                                                         : options_.requests_per_second;
  const double burst = std::max(1.0, 2 * rate);
  if (!entry.spent) entry.level = burst;
  const double gained = absl::ToDoubleSeconds(monotonic - entry.level_time) * rate;
  if (entry.spent) entry.level = std::min(burst, entry.level + std::max(gained, 0.0));
  entry.spent = true;
  entry.level_time = monotonic;
  if (entry.level >= 1) {
    entry.level -= 1;
    return absl::OkStatus();
  }
  const absl::Duration delay = absl::Seconds((1 - entry.level) / rate);
  return WithRetryDelay(
      MakeError(absl::StatusCode::kResourceExhausted, Reason::kRateLimited,
                absl::StrCat("too many requests of ", entry.key->actor(), ": at most ", rate,
                             " a second after the first ", burst)),
      absl::Ceil(delay, absl::Milliseconds(1)));
}

bool KeyRing::Used(absl::string_view id, absl::string_view source, absl::Time now) {
  const MutexLock lock(mutex_);
  const auto found = keys_.find(id);
  if (found == keys_.end()) return false;
  Entry& entry = found->second;
  entry.use = {now, std::string(source)};
  if (now - entry.written < kWriteUse) return false;
  entry.written = now;
  return true;
}

KeyRing::Use KeyRing::LastUse(absl::string_view id) const {
  const MutexLock lock(mutex_);
  const auto found = keys_.find(id);
  return found == keys_.end() ? Use() : found->second.use;
}

void FailureCounter::Forget(absl::Duration monotonic) {
  // Looks at all of them: not for each of a flood of subjects.
  if (monotonic - forgot_ < absl::Minutes(1)) return;
  forgot_ = monotonic;
  absl::erase_if(failures_, [&](const auto& entry) {
    return monotonic - entry.second.since >= kFailureWindow;
  });
}

int FailureCounter::Count(absl::string_view subject, absl::Duration monotonic) {
  const MutexLock lock(mutex_);
  auto found = failures_.find(subject);
  if (found == failures_.end()) {
    if (failures_.size() >= kMaxSubjects) {
      Forget(monotonic);
      if (failures_.size() >= kMaxSubjects) subject = kOthers;
    }
    found = failures_.try_emplace(subject, Failures{0, monotonic}).first;
  }
  if (monotonic - found->second.since >= kFailureWindow) found->second = {0, monotonic};
  return ++found->second.count;
}

void AdministratorRing::Put(Entry entry) {
  const MutexLock lock(mutex_);
  entries_[entry.name] = std::move(entry);
}

void AdministratorRing::Trust(std::vector<std::string> authorities) {
  const MutexLock lock(mutex_);
  authorities_ = std::move(authorities);
}

absl::Status AdministratorRing::Check(absl::string_view name, absl::string_view certificate_hash,
                                      absl::Time now) const {
  const MutexLock lock(mutex_);
  const auto found = entries_.find(name);
  const auto refused = [&](absl::string_view why) {
    return WithRemedy(MakeError(absl::StatusCode::kUnauthenticated, Reason::kUnauthenticated,
                                absl::StrCat("the certificate of administrator ", name, " ", why)),
                      "use the newest file that was made for you; an administrator on the "
                      "manager's machine makes "
                      "one: hostq administrator add NAME, or: hostq administrator renew NAME");
  };
  if (found == entries_.end()) return refused("is of nobody that this manager knows");
  const Entry& entry = found->second;
  if (entry.certificate_hash != certificate_hash) return refused("was replaced by another one");
  if (entry.revoked) return refused("was revoked");
  if (now >= entry.expire_time) return refused("has expired");
  if (std::find(authorities_.begin(), authorities_.end(), entry.authority) == authorities_.end()) {
    return refused("is of an authority that is trusted no more");
  }
  return absl::OkStatus();
}

bool AdministratorRing::IsNewest(absl::string_view name, absl::string_view certificate_hash) const {
  const MutexLock lock(mutex_);
  const auto found = entries_.find(name);
  return found != entries_.end() && found->second.certificate_hash == certificate_hash;
}

}  // namespace hostq::manager
