#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
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

  // Every other token of the same node is void from then on.
  void Put(const JoinToken& token) {
    const MutexLock lock(mutex_);
    std::erase_if(tokens_, [&](const auto& entry) { return entry.second.node == token.node; });
    tokens_[token.id] = token;
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

  void Misused(const JoinToken& token, absl::string_view what, absl::string_view source) override {
    const MutexLock lock(mutex_);
    misused_.push_back(absl::StrCat(token.node, ": ", what, ", from ", source));
  }
  std::vector<std::string> misused() {
    const MutexLock lock(mutex_);
    return misused_;
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
  std::vector<std::string> misused_ ABSL_GUARDED_BY(mutex_);
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hostq::manager
