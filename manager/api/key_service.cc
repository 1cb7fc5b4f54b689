#include "manager/api/key_service.h"

#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "manager/api/convert.h"
#include "manager/api/page_token.h"

namespace hostq::manager {
namespace {

constexpr absl::Duration kDefaultLife = absl::Hours(24 * 365);
constexpr absl::Duration kMaxLife = absl::Hours(24 * 3650);
constexpr absl::Duration kDefaultKeep = absl::Hours(24);
constexpr absl::Duration kMaxKeep = absl::Hours(24 * 30);
constexpr int kMaxScopes = 50;
constexpr int kMaxKeySources = 100;
constexpr uint32_t kMaxRate = 1'000'000;
constexpr uint32_t kMaxUnfinished = 10'000'000;

absl::Duration FromProto(const google::protobuf::Duration& span) {
  return absl::Seconds(span.seconds()) + absl::Nanoseconds(span.nanos());
}

// What the request says, as it is stored: without id, secret and who made it.
absl::StatusOr<storage::v1::ApiKey> RowOf(const v1::CreateKeyRequest& request, absl::Time now) {
  storage::v1::ApiKey row;
  row.set_name(request.name());
  if (request.scopes().empty() || request.scopes_size() > kMaxScopes) {
    return InvalidField("scopes", absl::StrCat("wanted: 1 to ", kMaxScopes, ", such as \"read\""));
  }
  for (const std::string& text : request.scopes()) {
    HOSTQ_ASSIGN_OR_RETURN(const Scope scope, ParseScope(text));
    if (scope.verb == Verb::kAdmin && request.own_accounts()) {
      return InvalidField("own_accounts", "a key of scope admin cannot be limited to its accounts");
    }
    // A typing error would be a key that may nothing. With a `*` it may mean kinds to come.
    for (const std::string& kind : scope.kinds) {
      if (absl::StrContains(kind, '*') || CheckKind(kind).ok()) continue;
      return InvalidField(
          "scopes", absl::StrCat("\"", Printable(text, 60),
                                 "\": ", absl::StripPrefix(CheckKind(kind).message(), "kind: ")));
    }
    row.add_scopes(scope.text());
  }
  const absl::Duration life =
      request.has_expires_in() ? FromProto(request.expires_in()) : kDefaultLife;
  if (life <= absl::ZeroDuration() || life > kMaxLife) {
    return InvalidField("expires_in", "must be positive, at most 3650 days");
  }
  *row.mutable_expire_time() = ToProto(now + life);
  if (request.sources_size() > kMaxKeySources) {
    return InvalidField("sources", absl::StrCat("more than ", kMaxKeySources));
  }
  for (const std::string& text : request.sources()) {
    const absl::StatusOr<AddressRange> range = AddressRange::Parse(text);
    if (!range.ok()) {
      return InvalidField(
          "sources", absl::StrCat("\"", Printable(text, 60), "\": ", range.status().message()));
    }
    row.add_sources(range->text());
  }
  if (request.requests_per_second() > kMaxRate) {
    return InvalidField("requests_per_second", absl::StrCat("more than ", kMaxRate));
  }
  if (request.max_unfinished() > kMaxUnfinished) {
    return InvalidField("max_unfinished", absl::StrCat("more than ", kMaxUnfinished));
  }
  row.set_own_accounts(request.own_accounts());
  row.set_requests_per_second(request.requests_per_second());
  row.set_max_unfinished(request.max_unfinished());
  return row;
}

}  // namespace

absl::StatusOr<ApiKey> FromRow(const storage::v1::ApiKey& row) {
  const auto unreadable = [&](const absl::Status& status) {
    return MakeError(absl::StatusCode::kDataLoss, Reason::kStoreUnavailable,
                     absl::StrCat("stored key ", row.id(), ": ", status.message()));
  };
  ApiKey key;
  key.id = row.id();
  key.name = row.name();
  for (const std::string& text : row.scopes()) {
    absl::StatusOr<Scope> scope = ParseScope(text);
    if (!scope.ok()) return unreadable(scope.status());
    key.scopes.push_back(*std::move(scope));
  }
  for (const std::string& text : row.sources()) {
    absl::StatusOr<AddressRange> range = AddressRange::Parse(text);
    if (!range.ok()) return unreadable(range.status());
    key.sources.push_back(*std::move(range));
  }
  for (const storage::v1::ApiSecret& secret : row.secrets()) {
    key.secrets.push_back(
        {secret.hash(), TimeFromProto(secret.create_time()),
         secret.has_end_time() ? TimeFromProto(secret.end_time()) : absl::InfiniteFuture()});
  }
  key.create_time = TimeFromProto(row.create_time());
  key.expire_time = TimeFromProto(row.expire_time());
  if (row.has_revoke_time()) key.revoke_time = TimeFromProto(row.revoke_time());
  key.own_accounts = row.own_accounts();
  key.requests_per_second = row.requests_per_second();
  key.max_unfinished = static_cast<int>(row.max_unfinished());
  return key;
}

v1::Key KeyService::Show(const storage::v1::ApiKey& row) const {
  v1::Key out;
  out.set_name(row.name());
  out.set_id(row.id());
  *out.mutable_scopes() = row.scopes();
  *out.mutable_create_time() = row.create_time();
  out.set_created_by(row.created_by());
  *out.mutable_expire_time() = row.expire_time();
  *out.mutable_sources() = row.sources();
  out.set_own_accounts(row.own_accounts());
  out.set_requests_per_second(row.requests_per_second());
  out.set_max_unfinished(row.max_unfinished());
  const absl::Time now = backend_.clock.Now();
  for (const storage::v1::ApiSecret& secret : row.secrets()) {
    if (secret.has_end_time() && TimeFromProto(secret.end_time()) <= now) continue;
    v1::KeySecret& shown = *out.add_secrets();
    *shown.mutable_create_time() = secret.create_time();
    if (secret.has_end_time()) *shown.mutable_end_time() = secret.end_time();
  }
  if (row.has_revoke_time()) *out.mutable_revoke_time() = row.revoke_time();
  out.set_revoked_by(row.revoked_by());
  out.set_revoke_note(row.revoke_note());
  if (row.has_last_use_time()) *out.mutable_last_use_time() = row.last_use_time();
  out.set_last_use_source(row.last_use_source());
  if (const KeyRing::Use use = keys_.LastUse(row.id()); use.time != absl::InfinitePast()) {
    *out.mutable_last_use_time() = ToProto(use.time);
    out.set_last_use_source(use.source);
  }
  return out;
}

v1::Key KeyService::TakeOver(const storage::v1::ApiKey& row) {
  absl::StatusOr<ApiKey> key = FromRow(row);
  HOSTQ_CHECK(key.ok());  // it was checked when it was made
  keys_.Put(*std::move(key));
  streams_.Look();
  return Show(row);
}

grpc::ServerUnaryReactor* KeyService::CreateKey(grpc::CallbackServerContext* context,
                                                const v1::CreateKeyRequest* request,
                                                v1::CreateKeyResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.KeyService.CreateKey", done);
  if (!caller) return reactor;
  absl::StatusOr<storage::v1::ApiKey> row = RowOf(*request, backend_.clock.Now());
  if (!row.ok()) return done(row.status()), reactor;
  row->set_id(MakeApiKeyId());
  const auto secret = std::make_shared<NewApiSecret>(MakeApiSecret(row->id()));
  storage::v1::ApiSecret& stored = *row->add_secrets();
  stored.set_hash(secret->hash);
  *stored.mutable_create_time() = ToProto(backend_.clock.Now());
  const auto made = std::make_shared<storage::v1::ApiKey>();
  backend_.engine.Change(
      [this, row = *std::move(row), made,
       actor = caller->actor](const Now& now) -> absl::StatusOr<ChangeSet> {
        HOSTQ_ASSIGN_OR_RETURN(ChangeSet changes, backend_.cluster.AddKey(row, actor, now));
        *made = backend_.cluster.keys().at(row.id());
        return changes;
      },
      caller->On(absl::StrCat("key/", request->name())),
      [this, made, response, secret, done](const absl::Status& status) {
        if (!status.ok()) return done(status);
        *response->mutable_key() = TakeOver(*made);
        response->set_text(std::string(secret->text.Reveal()));
        done(absl::OkStatus());
      });
  return reactor;
}

grpc::ServerUnaryReactor* KeyService::GetKey(grpc::CallbackServerContext* context,
                                             const v1::GetKeyRequest* request, v1::Key* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.KeyService.GetKey", done);
  if (!caller) return reactor;
  backend_.engine.Read([this, request, response, done](const auto&, const Now&) {
    const storage::v1::ApiKey* row = backend_.cluster.FindKey(request->name());
    if (row == nullptr) {
      return done(
          MakeError(absl::StatusCode::kNotFound, Reason::kUnknownKey,
                    absl::StrCat("name: there is no API key ", Printable(request->name(), 64))));
    }
    *response = Show(*row);
    done(absl::OkStatus());
  });
  return reactor;
}

grpc::ServerUnaryReactor* KeyService::ListKeys(grpc::CallbackServerContext* context,
                                               const v1::ListKeysRequest* request,
                                               v1::ListKeysResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.KeyService.ListKeys", done);
  if (!caller) return reactor;
  const std::string filter = request->include_revoked() ? "ListKeys/all" : "ListKeys";
  const absl::StatusOr<std::string> after = ParsePageToken(request->page_token(), filter);
  if (!after.ok()) return done(after.status()), reactor;
  backend_.engine.Read(
      [this, request, after = *after, filter, response, done](const auto&, const Now&) {
        std::map<std::string, const storage::v1::ApiKey*> rows;  // no name has a blank
        for (const auto& [id, row] : backend_.cluster.keys()) {
          if (!request->include_revoked() && row.has_revoke_time()) continue;
          rows[absl::StrCat(row.name(), " ", id)] = &row;
        }
        size_t bytes = 0;
        for (auto each = rows.upper_bound(after); each != rows.end(); ++each) {
          v1::Key& shown = *response->add_keys();
          shown = Show(*each->second);
          bytes += shown.ByteSizeLong();
          if (bytes < kMaxPageBytes || std::next(each) == rows.end()) continue;
          response->set_next_page_token(MakePageToken(each->first, filter));
          break;
        }
        done(absl::OkStatus());
      });
  return reactor;
}

grpc::ServerUnaryReactor* KeyService::RotateKey(grpc::CallbackServerContext* context,
                                                const v1::RotateKeyRequest* request,
                                                v1::CreateKeyResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.KeyService.RotateKey", done);
  if (!caller) return reactor;
  const absl::Duration keep = request->has_keep() ? FromProto(request->keep()) : kDefaultKeep;
  if (keep < absl::ZeroDuration() || keep > kMaxKeep) {
    return done(InvalidField("keep", "must not be negative, at most 30 days")), reactor;
  }
  const auto secret = std::make_shared<NewApiSecret>();
  const auto rotated = std::make_shared<storage::v1::ApiKey>();
  backend_.engine.Change(
      [this, request, secret, rotated, keep](const Now& now) -> absl::StatusOr<ChangeSet> {
        const storage::v1::ApiKey* row = backend_.cluster.FindKey(request->name());
        storage::v1::ApiSecret stored;
        if (row != nullptr) *secret = MakeApiSecret(row->id());
        stored.set_hash(secret->hash);
        HOSTQ_ASSIGN_OR_RETURN(
            ChangeSet changes,
            backend_.cluster.RotateKey(request->name(), std::move(stored), keep, now));
        *rotated = *backend_.cluster.FindKey(request->name());
        return changes;
      },
      caller->On(absl::StrCat("key/", request->name())),
      [this, rotated, response, secret, done](const absl::Status& status) {
        if (!status.ok()) return done(status);
        *response->mutable_key() = TakeOver(*rotated);
        response->set_text(std::string(secret->text.Reveal()));
        done(absl::OkStatus());
      });
  return reactor;
}

grpc::ServerUnaryReactor* KeyService::RevokeKey(grpc::CallbackServerContext* context,
                                                const v1::RevokeKeyRequest* request,
                                                v1::Key* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.KeyService.RevokeKey", done);
  if (!caller) return reactor;
  const auto revoked = std::make_shared<storage::v1::ApiKey>();
  backend_.engine.Change(
      [this, request, revoked, actor = caller->actor](const Now& now) -> absl::StatusOr<ChangeSet> {
        // The name may be another key's by the time it is committed.
        const storage::v1::ApiKey* row = backend_.cluster.FindKey(request->name());
        const std::string id = row == nullptr ? "" : row->id();
        HOSTQ_ASSIGN_OR_RETURN(
            ChangeSet changes,
            backend_.cluster.RevokeKey(request->name(), request->note(), actor, now));
        *revoked = backend_.cluster.keys().at(id);
        return changes;
      },
      caller->On(absl::StrCat("key/", request->name())),
      [this, revoked, response, done](const absl::Status& status) {
        if (!status.ok()) return done(status);
        *response = TakeOver(*revoked);
        done(absl::OkStatus());
      });
  return reactor;
}

}  // namespace hostq::manager
