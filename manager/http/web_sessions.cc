#include "manager/http/web_sessions.h"

#include <algorithm>
#include <utility>

#include "common/crypto/hash.h"

namespace hostq::manager {
namespace {

constexpr int kTokenBits = 256;
constexpr int kCsrfBits = 160;

// The token itself is not kept.
std::string IdOf(absl::string_view token) { return Sha256Hex(token); }

}  // namespace

WebSessions::Opened WebSessions::Open(const std::string& actor, std::optional<SecretString> key,
                                      absl::string_view certificate_pem) {
  SecretString token = RandomSecret(kTokenBits);
  auto session = std::make_shared<Session>();
  session->id = IdOf(token.Reveal());
  session->actor = actor;
  if (!key) session->certificate_hash = Sha256(certificate_pem);
  session->key = std::move(key);
  session->csrf_token = std::string(RandomSecret(kCsrfBits).Reveal());
  session->expire_time = clock_.Now() + limits_.life;
  const MutexLock lock(mutex_);
  MakeRoom(actor);
  entries_[session->id] = {session, clock_.Monotonic()};
  return {std::move(session), std::move(token)};
}

WebSessions::SessionPtr WebSessions::Find(absl::string_view token,
                                          absl::string_view certificate_pem) {
  const MutexLock lock(mutex_);
  const auto found = entries_.find(IdOf(token));
  if (found == entries_.end()) return nullptr;
  if (IsOver(found->second)) {
    entries_.erase(found);
    return nullptr;
  }
  const SessionPtr session = found->second.session;
  if (!session->key && session->certificate_hash != Sha256(certificate_pem)) return nullptr;
  found->second.used = clock_.Monotonic();
  return session;
}

bool WebSessions::Holds(const std::string& id) {
  const MutexLock lock(mutex_);
  const auto found = entries_.find(id);
  return found != entries_.end() && !IsOver(found->second);
}

void WebSessions::End(const std::string& id) {
  const MutexLock lock(mutex_);
  entries_.erase(id);
}

bool WebSessions::IsOver(const Entry& entry) const {
  return clock_.Now() >= entry.session->expire_time ||
         clock_.Monotonic() - entry.used >= limits_.idle;
}

void WebSessions::EndOldest(absl::FunctionRef<bool(const Entry&)> among, size_t limit) {
  size_t count = 0;
  auto oldest = entries_.end();
  for (auto each = entries_.begin(); each != entries_.end(); ++each) {
    if (!among(each->second)) continue;
    ++count;
    if (oldest == entries_.end() || each->second.used < oldest->second.used) oldest = each;
  }
  if (count >= limit) entries_.erase(oldest);
}

void WebSessions::MakeRoom(const std::string& actor) {
  absl::erase_if(entries_, [this](const auto& each) { return IsOver(each.second); });
  EndOldest([&](const Entry& entry) { return entry.session->actor == actor; }, limits_.of_actor);
  EndOldest([](const Entry&) { return true; }, limits_.all);
}

}  // namespace hostq::manager
