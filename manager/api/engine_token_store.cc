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

void RaiseNodeAlarm(Engine& engine, Cluster& cluster, Reason reason, const std::string& node,
                    const std::string& text, const std::string& source) {
  engine.Change(
      [&cluster, reason, node, text, source](const Now& now) -> absl::StatusOr<ChangeSet> {
        return cluster.RaiseAlarm(NodeSubject(node), reason, node, text, source, now);
      },
      "manager", [](const absl::Status&) {});
}

// Two agents with one identity take each other's session: from where the next of them comes is what
// an administrator wants to know, and it is known for seconds only, unless somebody writes it down.
void RaiseIfCloned(Engine& engine, Cluster& cluster, const std::string& node,
                   const std::string& source) {
  engine.Read([&engine, &cluster, node, source](const Queue& queue, const Now&) {
    const NodeState* state = queue.FindNode(node);
    if (state == nullptr || !state->cloned) return;
    RaiseNodeAlarm(engine, cluster, Reason::kNodeCloned, node,
                   "two agents show the identity of this node", source);
  });
}

}  // namespace

absl::Status ChangeAndWait(Engine& engine,
                           std::function<absl::StatusOr<ChangeSet>(const Now&)> change,
                           Origin origin) {
  const auto promise = std::make_shared<Promise<absl::Status>>();
  engine.Change(std::move(change), std::move(origin),
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
  for (const AddressRange& range : token.sources) row.add_sources(range.text());
  return row;
}

JoinToken FromRow(const storage::v1::Token& row) {
  JoinToken token = {
      row.id(),       row.secret_hash(), row.node(), TimeFromProto(row.expire_time()),
      row.key_hash(), row.incarnation(), {}};
  for (const std::string& source : row.sources()) {
    // It was a range when it was stored. None is not everything: nobody is at 0.0.0.0.
    const auto range = AddressRange::Parse(source);
    token.sources.push_back(range.ok() ? *range : *AddressRange::Parse("0.0.0.0"));
  }
  return token;
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

void EngineTokenStore::Misused(const JoinToken& token, absl::string_view what,
                               absl::string_view source) {
  engine_.Change(
      [this, node = token.node,
       text = absl::StrCat("the join token of node ", token.node, ": ", what),
       from = std::string(source)](const Now& now) -> absl::StatusOr<ChangeSet> {
        return cluster_.RaiseAlarm(TokenSubject(node), Reason::kTokenMisused, node, text, from,
                                   now);
      },
      "manager", [](const absl::Status&) {});
}

absl::Status EngineCertificateStore::MayRenew(const ShownCertificate& shown, bool beyond_grace,
                                              absl::string_view source) {
  absl::Status status = ChangeAndWait(
      engine_,
      [this, shown, beyond_grace,
       from = std::string(source)](const Now& now) -> absl::StatusOr<ChangeSet> {
        HOSTQ_RETURN_IF_ERROR(cluster_.CheckShown(shown));
        if (beyond_grace && !cluster_.IsApproved(shown.node, now)) {
          return MakeError(absl::StatusCode::kPermissionDenied, Reason::kRenewalNeedsApproval,
                           absl::StrCat("the certificate of node ", shown.node, " expired at ",
                                        absl::FormatTime(absl::RFC3339_sec, shown.not_after,
                                                         absl::UTCTimeZone()),
                                        ", too long ago: an administrator has to approve"));
        }
        // The approval holds until the new certificate is used: the answer may be lost.
        if (beyond_grace) return ChangeSet{};
        return cluster_.CertificateUsed(shown, from, now);
      },
      "node/" + shown.node);
  if (ReasonOf(status) == Reason::kCertificateSuperseded) RaiseSuperseded(shown, status, source);
  if (ReasonOf(status) != Reason::kRenewalNeedsApproval) return status;
  engine_.Change(
      [this, node = shown.node, text = std::string(status.message()),
       from = std::string(source)](const Now& now) -> absl::StatusOr<ChangeSet> {
        return cluster_.WantApproval(node, text, from, now);
      },
      "manager", [](const absl::Status&) {});
  return status;
}

absl::Status EngineCertificateStore::Issued(const ShownCertificate& issued,
                                            absl::string_view source) {
  Origin origin("node/" + issued.node);
  origin.source = std::string(source);
  origin.act = "node.renew";
  origin.target = origin.actor;
  return ChangeAndWait(
      engine_, [this, issued](const Now&) { return cluster_.CertificateIssued(issued); },
      std::move(origin));
}

void EngineCertificateStore::RaiseSuperseded(const ShownCertificate& shown,
                                             const absl::Status& status, absl::string_view source) {
  RaiseNodeAlarm(engine_, cluster_, Reason::kCertificateSuperseded, shown.node,
                 std::string(status.message()), std::string(source));
}

absl::Status EngineCertificateStore::Used(const ShownCertificate& shown, absl::string_view source) {
  RaiseIfCloned(engine_, cluster_, shown.node, std::string(source));
  absl::Status status = cluster_.CheckShown(shown);
  if (ReasonOf(status) == Reason::kCertificateSuperseded) RaiseSuperseded(shown, status, source);
  if (!status.ok()) return status;
  const storage::v1::Node* row = cluster_.FindNode(shown.node);
  if (row->incarnation() == shown.incarnation && row->has_current() &&
      row->current().serial() == shown.serial) {
    return absl::OkStatus();
  }
  engine_.Change([this, shown, from = std::string(source)](
                     const Now& now) { return cluster_.CertificateUsed(shown, from, now); },
                 "manager", [](const absl::Status&) {});
  return absl::OkStatus();
}

}  // namespace hostq::manager
