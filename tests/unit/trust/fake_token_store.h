#pragma once

#include <map>
#include <optional>
#include <string>

#include "common/base/error.h"
#include "common/base/mutex.h"
#include "manager/access/token_store.h"

namespace hostq::manager {

// In memory; keeps the whole contract.
class FakeTokenStore final : public TokenStore {
 public:
  absl::StatusOr<std::optional<JoinToken>> GetToken(const std::string& id) override {
    const MutexLock lock(mutex_);
    if (!failure_.ok()) return failure_;
    const auto at = tokens_.find(id);
    if (at == tokens_.end()) return std::optional<JoinToken>();
    return std::optional<JoinToken>(at->second);
  }

  absl::Status PutToken(const JoinToken& token) override {
    const MutexLock lock(mutex_);
    if (!failure_.ok()) return failure_;
    std::erase_if(tokens_, [&](const auto& entry) { return entry.second.node == token.node; });
    tokens_[token.id] = token;
    return absl::OkStatus();
  }

  absl::StatusOr<JoinToken> BindToken(const std::string& id, const std::string& hash) override {
    const MutexLock lock(mutex_);
    if (!failure_.ok()) return failure_;
    const auto at = tokens_.find(id);
    if (at == tokens_.end()) {
      return MakeError(absl::StatusCode::kPermissionDenied, Reason::kTokenInvalid, "no such token");
    }
    JoinToken& token = at->second;
    if (token.key_hash.empty()) {
      token.key_hash = hash;
      token.incarnation = ++incarnations_[token.node];
    } else if (token.key_hash != hash) {
      return MakeError(absl::StatusCode::kPermissionDenied, Reason::kTokenUsed, "another key");
    }
    return token;
  }

  // Every call fails so from now on.
  void FailWith(absl::Status status) {
    const MutexLock lock(mutex_);
    failure_ = std::move(status);
  }

 private:
  Mutex mutex_;
  std::map<std::string, JoinToken> tokens_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int64_t> incarnations_ ABSL_GUARDED_BY(mutex_);
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hostq::manager
