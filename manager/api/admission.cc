#include "manager/api/admission.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/error.h"
#include "common/base/trace_context.h"
#include "common/crypto/encoding.h"
#include "common/crypto/hash.h"
#include "common/log/log.h"
#include "common/log/log_budget.h"
#include "common/rpc/peer.h"

namespace hostq::manager {
namespace {

constexpr size_t kMaxRequestIdLength = 64;
// Later versions may be longer than the 55 of today's; what is kept of them is what we know.
constexpr size_t kMaxTraceparent = 256;
// gRPC's word for the peer of a call over an in-process channel; all others have a transport in it.
constexpr char kInProcessPeer[] = "unknown";
// Within an hour.
constexpr int kKeyFailuresForAlarm = 3;
constexpr int kSourceFailuresForAlarm = 20;

// The values of a header; names are in lower case here.
std::vector<absl::string_view> HeadersOf(const grpc::CallbackServerContext& context,
                                         const char* name) {
  std::vector<absl::string_view> values;
  const auto range = context.client_metadata().equal_range(name);
  for (auto each = range.first; each != range.second; ++each) {
    values.emplace_back(each->second.data(), each->second.size());
  }
  return values;
}

std::string RequestIdOf(const grpc::CallbackServerContext& context) {
  const auto said = HeadersOf(context, "hostq-request-id");
  return RequestIdFrom(said.size() == 1 ? said[0] : "");
}

// What is shown by a call that comes over the network itself.
Shown ShownBy(const grpc::CallbackServerContext& context) {
  Shown shown;
  shown.peer = context.peer();
  shown.certificate_pem = PeerCertificateOf(context);
  shown.foreign_origin = !HeadersOf(context, "origin").empty();
  const auto authorization = HeadersOf(context, "authorization");
  if (!authorization.empty()) {
    shown.key = KeyIn(authorization.size() == 1 ? authorization[0] : "");
  }
  return shown;
}

// What is none is ignored, as the W3C says; several are none.
std::string TraceparentOf(const grpc::CallbackServerContext& context) {
  const auto said = HeadersOf(context, "traceparent");
  return said.size() == 1 && said[0].size() <= kMaxTraceparent && IsTraceparent(said[0])
             ? std::string(said[0])
             : "";
}

absl::Status Denied(Reason reason, absl::string_view message) {
  return MakeError(absl::StatusCode::kPermissionDenied, reason, message);
}

absl::Status Unauthenticated(Reason reason, absl::string_view message) {
  return MakeError(absl::StatusCode::kUnauthenticated, reason, message);
}

}  // namespace

std::string RequestIdFrom(absl::string_view said) {
  if (!said.empty() && said.size() <= kMaxRequestIdLength &&
      std::all_of(said.begin(), said.end(),
                  [](char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)); })) {
    return std::string(said);
  }
  return Base32Encode(RandomBytes(10));
}

SecretString KeyIn(absl::string_view authorization) {
  constexpr absl::string_view kBearer = "bearer ";
  const bool bearer = absl::StartsWithIgnoreCase(authorization, kBearer);
  return SecretString(bearer ? authorization.substr(kBearer.size()) : absl::string_view());
}

void Refused(const Caller& caller, const absl::Status& status) {
  // A flood is no news, and must not become one of the log.
  if (ReasonOf(status) == Reason::kRateLimited) return;
  static LogBudget budget{10};
  const auto left_out = budget.Take(SystemClock().Monotonic());
  if (!left_out) return;
  LogWarning("refused", {{"reason", NameOf(ReasonOf(status))},
                         {"method", caller.method},
                         {"actor", caller.actor},
                         {"source", caller.source},
                         {"request_id", caller.request_id},
                         {"message", status.message()},
                         {"more_not_shown", *left_out}});
}

absl::StatusOr<Caller> CallAdmission::Admit(grpc::CallbackServerContext& context,
                                            absl::string_view method) {
  Caller caller;
  caller.actor = "unknown";
  caller.method = std::string(method);
  const std::shared_ptr<const GatewayCall> gateway = GatewayCallOf(context);
  caller.request_id = gateway != nullptr ? gateway->request_id : RequestIdOf(context);
  caller.traceparent = TraceparentOf(context);
  context.AddInitialMetadata("hostq-request-id", caller.request_id);
  const std::optional<SocketPeers::Peer> local = parts_.socket_peers.Find(context.peer());
  absl::Status status;
  if (local) {
    IdentifyLocal(context, *local, caller);
  } else {
    const Shown shown = gateway != nullptr ? Shown{gateway->peer, gateway->certificate_pem,
                                                   gateway->key, false, true}
                                           : ShownBy(context);
    status = Identify(shown, caller);
  }
  if (status.ok()) status = Spend(caller);
  if (status.ok()) status = Authorize(caller);
  if (status.ok()) return caller;
  Deny(caller, status);
  return status;
}

absl::StatusOr<Caller> CallAdmission::Recognize(const Shown& shown, absl::string_view act,
                                                absl::string_view request_id) {
  Caller caller;
  caller.actor = "unknown";
  caller.method = std::string(act);
  caller.request_id = std::string(request_id);
  absl::Status status = Identify(shown, caller);
  if (status.ok()) status = Spend(caller);
  if (status.ok()) return caller;
  Deny(caller, status);
  return status;
}

void CallAdmission::Deny(const Caller& caller, const absl::Status& status) {
  parts_.engine.Audit(caller.On(""), status);
  Refused(caller, status);
}

// The name of a call is in the metadata of calls that the gateway makes, in this process and so
// without an address; elsewhere it means nothing.
std::shared_ptr<const GatewayCall> CallAdmission::GatewayCallOf(
    const grpc::CallbackServerContext& context) const {
  const auto name = HeadersOf(context, GatewayCalls::kMetadata);
  if (name.size() != 1 || context.peer() != kInProcessPeer) return nullptr;
  return parts_.gateway_calls.Find(name[0]);
}

void CallAdmission::IdentifyLocal(const grpc::CallbackServerContext& context,
                                  const SocketPeers::Peer& peer, Caller& caller) const {
  const auto said = HeadersOf(context, "hostq-actor");
  caller.kind = Caller::Kind::kLocal;
  caller.source = "socket";
  caller.actor = LocalActor(peer, said.empty() ? "" : std::string(said[0]));
  // For the rate: whoever root speaks for is root.
  caller.credential = absl::StrCat("uid/", peer.uid);
}

absl::Status CallAdmission::Identify(const Shown& shown, Caller& caller) {
  caller.source = PeerAddress(shown.peer);
  if (shown.foreign_origin) {
    return Denied(Reason::kForeignOrigin,
                  "the request comes from a page of another site in a browser");
  }
  HOSTQ_RETURN_IF_ERROR(shown.key ? IdentifyKey(*shown.key, caller)
                                  : IdentifyAdministrator(shown.certificate_pem, caller));
  if (parts_.known) parts_.known(shown.peer, shown.by_gateway);
  return absl::OkStatus();
}

absl::Status CallAdmission::IdentifyAdministrator(absl::string_view certificate_pem,
                                                  Caller& caller) {
  const absl::Time now = parts_.clock.Now();
  absl::StatusOr<PeerAdministrator> peer =
      certificate_pem.empty()
          ? WithRemedy(
                Unauthenticated(Reason::kUnauthenticated,
                                "neither an API key nor an administrator's certificate was shown"),
                "send an API key as \"authorization: Bearer hostq_...\" (hostq key create NAME "
                "makes "
                "one), or show an administrator's certificate (hostq administrator add NAME)")
          : PeerAdministratorOf(certificate_pem, now);
  absl::Status status = peer.status();
  if (status.ok()) {
    status = parts_.administrators.Check(peer->name, peer->certificate_hash, now);
    // Whoever it was has the key of a certificate that was revoked, say.
    if (parts_.administrators.IsNewest(peer->name, peer->certificate_hash)) {
      caller.actor = peer->name;
    }
  }
  if (!status.ok()) return CountFailure(caller, {}, status);
  caller.kind = Caller::Kind::kAdministrator;
  caller.credential = peer->certificate_hash;
  return absl::OkStatus();
}

absl::Status CallAdmission::IdentifyKey(const SecretString& text, Caller& caller) {
  KeyRing::Failure failure;
  const absl::Time now = parts_.clock.Now();
  absl::StatusOr<KeyRing::Admitted> admitted = parts_.keys.Admit(text, caller.source, now, failure);
  if (!admitted.ok()) {
    if (!failure.actor.empty()) caller.actor = failure.actor;
    return CountFailure(caller, failure, admitted.status());
  }
  const ApiKey& key = *admitted->key;
  caller.kind = Caller::Kind::kKey;
  caller.actor = key.actor();
  caller.key_id = key.id;
  caller.credential = std::move(admitted->secret_hash);
  caller.rights = std::make_shared<const Rights>(key.rights());
  caller.max_unfinished = static_cast<size_t>(parts_.keys.MaxUnfinished(key));
  if (parts_.keys.Used(key.id, caller.source, now)) {
    parts_.engine.Change(
        [this, id = key.id, source = caller.source](const Now& at) {
          return absl::StatusOr<ChangeSet>(parts_.cluster.KeyUsed(id, source, at.wall));
        },
        "manager", [](const absl::Status&) {});
  }
  return absl::OkStatus();
}

absl::Status CallAdmission::Authorize(const Caller& caller) const {
  const MethodRule* rule = FindRule(caller.method);
  if (rule == nullptr || rule->listener != Listener::kAdministration) {
    return Denied(Reason::kNotAuthorized, absl::StrCat("nobody may call ", caller.method, " here"));
  }
  if (rule->local_only && caller.kind != Caller::Kind::kLocal) {
    return Denied(Reason::kNotAuthorized,
                  absl::StrCat(caller.method, " is for the manager's own socket only"));
  }
  if (caller.kind != Caller::Kind::kKey) return absl::OkStatus();
  if (rule->verb == Verb::kNone) {
    return Denied(Reason::kOutOfScope, absl::StrCat("no API key may call ", caller.method));
  }
  const Rights& rights = *caller.rights;
  const bool has_verb = HasVerb(rights, rule->verb) || HasVerb(rights, rule->other_verb);
  const bool reaches = rule->reach == Reach::kEverything ? AllowsEverything(rights, rule->verb)
                       : rule->reach == Reach::kNodes    ? AllowsBeyondAccounts(rights, rule->verb)
                                                         : has_verb;
  if (has_verb && reaches) return absl::OkStatus();
  const absl::string_view wanted = NameOf(rule->verb);
  return Denied(Reason::kOutOfScope,
                has_verb ? absl::StrCat(caller.method, " is about more than ", caller.actor,
                                        " may see or do: wanted is the scope \"", wanted, "\"",
                                        rule->reach == Reach::kNodes ? " without accounts"
                                                                     : " without limits")
                         : absl::StrCat(caller.actor, " has no scope \"", wanted, "\", which ",
                                        caller.method, " needs"));
}

absl::Status CallAdmission::Spend(const Caller& caller) {
  const absl::Duration now = parts_.clock.Monotonic();
  switch (caller.kind) {
    case Caller::Kind::kKey:
      return parts_.keys.Spend(caller.key_id, now);
    case Caller::Kind::kAdministrator:
      return parts_.limiter.Check(absl::StrCat("administrator/", caller.actor), now);
    case Caller::Kind::kLocal:
      break;
  }
  return parts_.limiter.Check(caller.credential, now);
}

absl::Status CallAdmission::Recheck(const Caller& caller) const {
  switch (caller.kind) {
    case Caller::Kind::kKey:
      return parts_.keys.Recheck(caller.key_id, caller.credential, parts_.clock.Now());
    case Caller::Kind::kAdministrator:
      return parts_.administrators.Check(caller.actor, caller.credential, parts_.clock.Now());
    case Caller::Kind::kLocal:
      break;
  }
  return absl::OkStatus();
}

absl::Status CallAdmission::CountFailure(const Caller& caller, const KeyRing::Failure& failure,
                                         const absl::Status& status) {
  const absl::Duration now = parts_.clock.Monotonic();
  const std::string source = RateLimitSource(caller.source);
  const absl::Duration wait = failures_.WaitOf(source, now);
  // However many come, the engine hears of the first that is too many, and then of one a second.
  const auto due = [&](int count, int least) {
    return count == least || (count > least && wait == absl::ZeroDuration());
  };
  if (!failure.guessed_name.empty()) {
    const std::string subject = absl::StrCat("key/", failure.guessed_name);
    if (due(key_failures_.Count(subject, now), kKeyFailuresForAlarm)) {
      RaiseAlarm(subject, "wrong secrets were shown for this API key", caller.source);
    }
  }
  const std::string subject = absl::StrCat("source/", source);
  if (due(source_failures_.Count(subject, now), kSourceFailuresForAlarm)) {
    RaiseAlarm(subject,
               "many failed authentications from this address, or from more than can be told apart",
               caller.source);
  }
  if (wait == absl::ZeroDuration()) return status;
  return WithRetryDelay(MakeError(absl::StatusCode::kResourceExhausted, Reason::kRateLimited,
                                  absl::StrCat("too many failed authentications from ", source)),
                        absl::Ceil(wait, absl::Milliseconds(1)));
}

void CallAdmission::RaiseAlarm(std::string subject, std::string message, std::string source) {
  parts_.engine.Change(
      [this, subject = std::move(subject), message = std::move(message),
       source = std::move(source)](const Now& now) {
        return absl::StatusOr<ChangeSet>(
            parts_.cluster.RaiseAlarm(subject, Reason::kKeyGuessed, "", message, source, now));
      },
      "manager", [](const absl::Status&) {});
}

}  // namespace hostq::manager
