#include "manager/api/engine_token_store.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "manager/api/convert.h"

namespace hostq::manager {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(30);

// A value that one thread sets and another one waits for.
template <typename T>
class Promise {
 public:
  void Set(T value) {
    MutexLock lock(mutex_);
    value_ = std::move(value);
    set_.NotifyAll();
  }
  // Nothing: it took too long.
  std::optional<T> Wait() {
    const absl::Duration until = SystemClock().Monotonic() + kPatience;
    MutexLock lock(mutex_);
    while (!value_) {
      const absl::Duration left = until - SystemClock().Monotonic();
      if (left <= absl::ZeroDuration()) return std::nullopt;
      set_.WaitFor(mutex_, absl::ToChronoMilliseconds(left));
    }
    return std::move(value_);
  }

 private:
  Mutex mutex_;
  CondVar set_;
  std::optional<T> value_ ABSL_GUARDED_BY(mutex_);
};

absl::Status NoAnswer() {
  return MakeError(absl::StatusCode::kUnavailable, Reason::kStoreUnavailable,
                   "the manager's engine did not answer in time");
}

}  // namespace

absl::Status ChangeAndWait(Engine& engine,
                           std::function<absl::StatusOr<ChangeSet>(const Now&)> change,
                           std::string actor) {
  const auto promise = std::make_shared<Promise<absl::Status>>();
  engine.Change(std::move(change), std::move(actor),
                [promise](absl::Status status) { promise->Set(std::move(status)); });
  return promise->Wait().value_or(NoAnswer());
}

storage::v1::Token ToRow(const JoinToken& token) {
  storage::v1::Token row;
  row.set_id(token.id);
  row.set_secret_hash(token.secret_hash);
  row.set_node(token.node);
  *row.mutable_expire_time() = ToProto(token.expire_time);
  row.set_key_hash(token.key_hash);
  row.set_incarnation(token.incarnation);
  return row;
}

JoinToken FromRow(const storage::v1::Token& row) {
  return {row.id(),       row.secret_hash(), row.node(), TimeFromProto(row.expire_time()),
          row.key_hash(), row.incarnation()};
}

absl::StatusOr<std::optional<JoinToken>> EngineTokenStore::GetToken(const std::string& id) {
  const auto promise = std::make_shared<Promise<std::optional<JoinToken>>>();
  engine_.Read([this, promise, id](const auto&, const Now&) {
    const storage::v1::Token* row = cluster_.FindToken(id);
    promise->Set(row == nullptr ? std::nullopt : std::optional<JoinToken>(FromRow(*row)));
  });
  std::optional<std::optional<JoinToken>> token = promise->Wait();
  if (!token) return NoAnswer();
  return *std::move(token);
}

absl::Status EngineTokenStore::PutToken(const JoinToken& token) {
  return ChangeAndWait(
      engine_, [this, row = ToRow(token)](const Now&) { return cluster_.PutToken(row); },
      "manager");
}

absl::StatusOr<JoinToken> EngineTokenStore::BindToken(const std::string& id,
                                                      const std::string& key_hash) {
  const auto bound = std::make_shared<JoinToken>();
  HOSTQ_RETURN_IF_ERROR(ChangeAndWait(
      engine_,
      [this, bound, id, key_hash](const Now& now) -> absl::StatusOr<ChangeSet> {
        HOSTQ_ASSIGN_OR_RETURN(ChangeSet changes, cluster_.BindToken(id, key_hash, now));
        *bound = FromRow(*cluster_.FindToken(id));
        return changes;
      },
      "enrollment"));
  return *bound;
}

}  // namespace hostq::manager
