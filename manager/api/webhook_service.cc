#include "manager/api/webhook_service.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "common/crypto/encoding.h"
#include "common/crypto/hash.h"
#include "google/protobuf/util/json_util.h"
#include "manager/api/convert.h"
#include "manager/api/key_scope.h"
#include "manager/webhook/filter.h"
#include "manager/webhook/url.h"

namespace hostq::manager {
namespace {

constexpr absl::Duration kDefaultKeep = absl::Hours(24);
constexpr absl::Duration kMaxKeep = absl::Hours(24 * 30);
constexpr int kMaxPatterns = 100;
constexpr size_t kMaxPattern = 255;
constexpr int kDefaultPage = 100;
constexpr int kMaxPage = 1'000;
// As those of API keys: 10 characters, and 200 random bits.
constexpr size_t kIdBytes = 7;
constexpr size_t kIdLength = 10;
constexpr int kSecretBits = 200;

absl::Status NoWebhook(absl::string_view name) {
  return MakeError(absl::StatusCode::kNotFound, Reason::kUnknownWebhook,
                   absl::StrCat("name: there is no webhook ", Printable(name, 64)));
}

absl::Status NoDelivery(absl::string_view id) {
  return MakeError(absl::StatusCode::kNotFound, Reason::kUnknownDelivery,
                   absl::StrCat("id: there is no delivery ", Printable(id, 64)));
}

std::string NewId() { return Base32Encode(RandomBytes(kIdBytes)).substr(0, kIdLength); }

std::string NewSecret() { return absl::StrCat("hqw_", RandomSecret(kSecretBits).Reveal()); }

bool MaySee(const Caller& caller, const storage::v1::Webhook& row) {
  return caller.rights->unlimited || (!row.key_id().empty() && row.key_id() == caller.key_id);
}

// On the engine's thread. Null: there is none, or it is another's.
const storage::v1::Webhook* FindFor(const Caller& caller, const Cluster& cluster,
                                    absl::string_view name) {
  const storage::v1::Webhook* row = cluster.webhooks().Find(name);
  return row != nullptr && MaySee(caller, *row) ? row : nullptr;
}

const storage::v1::Delivery* FindDeliveryFor(const Caller& caller, const Cluster& cluster,
                                             absl::string_view id) {
  const storage::v1::Delivery* row = cluster.webhooks().FindDelivery(id);
  return row != nullptr && FindFor(caller, cluster, row->webhook()) != nullptr ? row : nullptr;
}

absl::Status CheckPatterns(absl::string_view field,
                           const google::protobuf::RepeatedPtrField<std::string>& patterns) {
  if (patterns.size() > kMaxPatterns)
    return InvalidField(field, absl::StrCat("more than ", kMaxPatterns));
  for (const std::string& pattern : patterns) {
    const bool good = !pattern.empty() && pattern.size() <= kMaxPattern &&
                      std::all_of(pattern.begin(), pattern.end(), [](unsigned char c) {
                        return absl::ascii_isgraph(c) && !absl::ascii_isupper(c);
                      });
    if (good) continue;
    return InvalidField(field, absl::StrCat("\"", Printable(pattern, 60),
                                            "\": wanted is a name in lower case, with `*` for any "
                                            "characters"));
  }
  return absl::OkStatus();
}

// Which events it would be told of: each pattern must stand for one at least.
absl::StatusOr<std::vector<absl::string_view>> EventsOf(const v1::CreateWebhookRequest& request) {
  if (request.events().empty()) {
    return InvalidField("events", "wanted: at least one, such as command.finished");
  }
  HOSTQ_RETURN_IF_ERROR(CheckPatterns("events", request.events()));
  std::vector<absl::string_view> events;
  for (const std::string& pattern : request.events()) {
    const size_t before = events.size();
    for (const absl::string_view event : WebhookEvents()) {
      if (MatchesName(pattern, event)) events.push_back(event);
    }
    if (events.size() != before) continue;
    return InvalidField("events", absl::StrCat("\"", Printable(pattern, 60), "\" is none of ",
                                               absl::StrJoin(WebhookEvents(), ", ")));
  }
  return events;
}

// What the request says, as it is stored: without id and secret.
absl::StatusOr<storage::v1::Webhook> RowOf(const v1::CreateWebhookRequest& request,
                                           const Caller& caller, const AddressRules& rules) {
  HOSTQ_ASSIGN_OR_RETURN(const Url url, ParseUrl(request.url()));
  // A name is looked up, and what it is resolved to checked, at each delivery.
  if (url.is_address()) HOSTQ_RETURN_IF_ERROR(rules.Check(url.host));
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<absl::string_view> events, EventsOf(request));
  HOSTQ_RETURN_IF_ERROR(CheckPatterns("accounts", request.accounts()));
  HOSTQ_RETURN_IF_ERROR(CheckPatterns("kinds", request.kinds()));
  for (const std::string& kind : request.kinds()) {
    // A typing error would be a webhook that is never told anything.
    if (kind.find('*') == kind.npos) HOSTQ_RETURN_IF_ERROR(CheckKind(kind));
  }
  if (!AllowsEverything(*caller.rights, Verb::kRead)) {
    for (const absl::string_view event : events) {
      if (absl::StartsWith(event, "command.") || absl::StartsWith(event, "task.")) continue;
      return OutOfScope(caller, absl::StrCat("be told of ", event,
                                             ": its scopes are limited, so "
                                             "command.finished and task.parked only"));
    }
  }
  storage::v1::Webhook row;
  row.set_name(request.name());
  row.set_url(request.url());
  *row.mutable_events() = request.events();
  *row.mutable_accounts() = request.accounts();
  *row.mutable_kinds() = request.kinds();
  row.set_key_id(caller.key_id);
  row.set_created_by(caller.actor);
  return row;
}

v1::Delivery Show(const storage::v1::Delivery& row, bool whole) {
  v1::Delivery out;
  out.set_id(row.id());
  out.set_webhook(row.webhook());
  out.set_type(row.type());
  out.set_state(static_cast<v1::Delivery::State>(row.state()));
  *out.mutable_create_time() = row.create_time();
  out.set_attempts(row.attempts());
  if (row.has_last_attempt_time()) *out.mutable_last_attempt_time() = row.last_attempt_time();
  if (row.has_next_attempt_time()) *out.mutable_next_attempt_time() = row.next_attempt_time();
  out.set_answer(row.answer());
  if (whole) out.set_body(row.body());
  return out;
}

std::string TestBody(const std::string& id, const std::string& cluster, absl::Time now) {
  v1::WebhookPayload payload;
  payload.set_id(id);
  payload.set_type("test");
  payload.set_cluster(cluster);
  *payload.mutable_time() = ToProto(now);
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  std::string json;
  HOSTQ_CHECK(google::protobuf::util::MessageToJsonString(payload, &json, options).ok());
  return json;
}

std::string TargetOf(absl::string_view name) { return absl::StrCat("webhook/", name); }

}  // namespace

v1::Webhook WebhookService::Show(const storage::v1::Webhook& row) const {
  const absl::Time now = backend_.clock.Now();
  const Webhooks& webhooks = backend_.cluster.webhooks();
  v1::Webhook out;
  out.set_name(row.name());
  out.set_id(row.id());
  out.set_url(row.url());
  *out.mutable_events() = row.events();
  *out.mutable_accounts() = row.accounts();
  *out.mutable_kinds() = row.kinds();
  out.set_state(webhooks.Ended(row, now) ? v1::Webhook::ENDED
                : row.has_pause_time()   ? v1::Webhook::PAUSED
                : row.has_failing_time() ? v1::Webhook::FAILING
                                         : v1::Webhook::ACTIVE);
  *out.mutable_create_time() = row.create_time();
  out.set_created_by(row.created_by());
  for (const storage::v1::SigningSecret& secret : row.secrets()) {
    if (secret.has_end_time() && TimeFromProto(secret.end_time()) <= now) continue;
    v1::WebhookSecret& shown = *out.add_secrets();
    *shown.mutable_create_time() = secret.create_time();
    if (secret.has_end_time()) *shown.mutable_end_time() = secret.end_time();
  }
  if (row.has_pause_time()) *out.mutable_pause_time() = row.pause_time();
  out.set_paused_by(row.paused_by());
  out.set_pause_note(row.pause_note());
  if (row.has_failing_time()) *out.mutable_failing_time() = row.failing_time();
  out.set_last_answer(row.last_answer());
  if (row.has_last_answer_time()) *out.mutable_last_answer_time() = row.last_answer_time();
  const Webhooks::Counts counts = webhooks.CountsOf(row.name());
  out.set_pending(counts.pending);
  out.set_parked(counts.parked);
  out.set_full(counts.full());
  return out;
}

void WebhookService::Run(const Caller& caller, const std::string& name, Change change,
                         std::function<void()> committed, const Done& done) {
  backend_.engine.Change(
      [this, caller, name,
       change = std::move(change)](const Now& now) -> absl::StatusOr<ChangeSet> {
        if (FindFor(caller, backend_.cluster, name) == nullptr) return NoWebhook(name);
        return change(now);
      },
      caller.On(TargetOf(name)),
      [committed = std::move(committed), done](const absl::Status& status) {
        if (status.ok()) committed();
        done(status);
      });
}

grpc::ServerUnaryReactor* WebhookService::CreateWebhook(grpc::CallbackServerContext* context,
                                                        const v1::CreateWebhookRequest* request,
                                                        v1::CreateWebhookResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.WebhookService.CreateWebhook", done);
  if (!caller) return reactor;
  absl::StatusOr<storage::v1::Webhook> row = RowOf(*request, *caller, rules_);
  if (!row.ok()) return done(row.status()), reactor;
  row->set_id(NewId());
  const std::string secret = NewSecret();
  row->add_secrets()->set_text(secret);
  backend_.engine.Change(
      [this, row = *std::move(row)](const Now& now) {
        // What happens from now on.
        return backend_.cluster.webhooks().Add(row, backend_.engine.last_sequence(), now);
      },
      caller->On(TargetOf(request->name())),
      [this, request, response, secret, done](const absl::Status& status) {
        if (!status.ok()) return done(status);
        *response->mutable_webhook() = Show(*backend_.cluster.webhooks().Find(request->name()));
        response->set_secret(secret);
        hooks_.room();
        done(absl::OkStatus());
      });
  return reactor;
}

grpc::ServerUnaryReactor* WebhookService::GetWebhook(grpc::CallbackServerContext* context,
                                                     const v1::GetWebhookRequest* request,
                                                     v1::Webhook* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.WebhookService.GetWebhook", done);
  if (!caller) return reactor;
  backend_.engine.Read([this, caller = *caller, request, response, done](const auto&, const Now&) {
    const storage::v1::Webhook* row = FindFor(caller, backend_.cluster, request->name());
    if (row == nullptr) return done(NoWebhook(request->name()));
    *response = Show(*row);
    done(absl::OkStatus());
  });
  return reactor;
}

grpc::ServerUnaryReactor* WebhookService::ListWebhooks(grpc::CallbackServerContext* context,
                                                       const v1::ListWebhooksRequest*,
                                                       v1::ListWebhooksResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.WebhookService.ListWebhooks", done);
  if (!caller) return reactor;
  backend_.engine.Read([this, caller = *caller, response, done](const auto&, const Now&) {
    for (const auto& [name, row] : backend_.cluster.webhooks().all()) {
      if (MaySee(caller, row)) *response->add_webhooks() = Show(row);
    }
    done(absl::OkStatus());
  });
  return reactor;
}

grpc::ServerUnaryReactor* WebhookService::DeleteWebhook(grpc::CallbackServerContext* context,
                                                        const v1::DeleteWebhookRequest* request,
                                                        v1::DeleteWebhookResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.WebhookService.DeleteWebhook", done);
  if (!caller) return reactor;
  Run(
      *caller, request->name(),
      [this, request, response](const Now&) {
        int dropped = 0;
        auto changes = backend_.cluster.webhooks().Delete(request->name(), dropped);
        response->set_dropped_deliveries(dropped);
        return changes;
      },
      [] {}, done);
  return reactor;
}

grpc::ServerUnaryReactor* WebhookService::PauseWebhook(grpc::CallbackServerContext* context,
                                                       const v1::PauseWebhookRequest* request,
                                                       v1::Webhook* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.WebhookService.PauseWebhook", done);
  if (!caller) return reactor;
  Run(
      *caller, request->name(),
      [this, request, actor = caller->actor](const Now& now) {
        return backend_.cluster.webhooks().Pause(request->name(), request->note(), actor, now);
      },
      [this, request, response] {
        *response = Show(*backend_.cluster.webhooks().Find(request->name()));
      },
      done);
  return reactor;
}

grpc::ServerUnaryReactor* WebhookService::ResumeWebhook(grpc::CallbackServerContext* context,
                                                        const v1::ResumeWebhookRequest* request,
                                                        v1::Webhook* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.WebhookService.ResumeWebhook", done);
  if (!caller) return reactor;
  Run(
      *caller, request->name(),
      [this, request](const Now&) {
        const int64_t skip_to = request->skip() ? backend_.engine.last_sequence() : 0;
        return backend_.cluster.webhooks().Resume(request->name(), skip_to);
      },
      [this, request, response] {
        *response = Show(*backend_.cluster.webhooks().Find(request->name()));
        hooks_.room();
        hooks_.added();
      },
      done);
  return reactor;
}

grpc::ServerUnaryReactor* WebhookService::RotateWebhook(grpc::CallbackServerContext* context,
                                                        const v1::RotateWebhookRequest* request,
                                                        v1::CreateWebhookResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.WebhookService.RotateWebhook", done);
  if (!caller) return reactor;
  const auto& span = request->keep();
  const absl::Duration keep = request->has_keep()
                                  ? absl::Seconds(span.seconds()) + absl::Nanoseconds(span.nanos())
                                  : kDefaultKeep;
  if (keep < absl::ZeroDuration() || keep > kMaxKeep) {
    return done(InvalidField("keep", "must not be negative, at most 30 days")), reactor;
  }
  storage::v1::SigningSecret secret;
  secret.set_text(NewSecret());
  Run(
      *caller, request->name(),
      [this, request, secret, keep](const Now& now) {
        return backend_.cluster.webhooks().Rotate(request->name(), secret, keep, now);
      },
      [this, request, response, secret] {
        *response->mutable_webhook() = Show(*backend_.cluster.webhooks().Find(request->name()));
        response->set_secret(secret.text());
      },
      done);
  return reactor;
}

grpc::ServerUnaryReactor* WebhookService::TestWebhook(grpc::CallbackServerContext* context,
                                                      const v1::TestWebhookRequest* request,
                                                      v1::Delivery* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.WebhookService.TestWebhook", done);
  if (!caller) return reactor;
  const auto id = std::make_shared<std::string>();
  Run(
      *caller, request->name(),
      [this, request, id](const Now& now) -> absl::StatusOr<ChangeSet> {
        Webhooks& webhooks = backend_.cluster.webhooks();
        if (webhooks.CountsOf(request->name()).full()) {
          return MakeError(absl::StatusCode::kResourceExhausted, Reason::kWebhookLimitReached,
                           absl::StrCat("webhook ", request->name(), " has ", Webhooks::kMaxWaiting,
                                        " deliveries that were not taken: replay or delete it"));
        }
        *id = absl::StrCat(webhooks.Find(request->name())->id(), "-test-", NewId());
        storage::v1::Delivery delivery;
        delivery.set_id(*id);
        delivery.set_webhook(request->name());
        delivery.set_type("test");
        delivery.set_body(TestBody(*id, hooks_.name, now.wall));
        ChangeSet changes;
        webhooks.Add(std::move(delivery), now, changes);
        return changes;
      },
      [this, id, response] {
        *response = manager::Show(*backend_.cluster.webhooks().FindDelivery(*id), true);
        hooks_.added();
      },
      done);
  return reactor;
}

grpc::ServerUnaryReactor* WebhookService::ListDeliveries(grpc::CallbackServerContext* context,
                                                         const v1::ListDeliveriesRequest* request,
                                                         v1::ListDeliveriesResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.WebhookService.ListDeliveries", done);
  if (!caller) return reactor;
  if (request->page_size() < 0 || request->page_size() > kMaxPage) {
    return done(InvalidField("page_size", absl::StrCat("must be from 1 to ", kMaxPage))), reactor;
  }
  const int limit = request->page_size() == 0 ? kDefaultPage : request->page_size();
  backend_.engine.Read(
      [this, caller = *caller, request, response, done, limit](const auto&, const Now&) {
        if (FindFor(caller, backend_.cluster, request->webhook()) == nullptr) {
          return done(NoWebhook(request->webhook()));
        }
        for (const auto* row : backend_.cluster.webhooks().DeliveriesOf(request->webhook())) {
          if (response->deliveries_size() == limit) break;
          if (request->state() == v1::Delivery::STATE_UNSPECIFIED ||
              static_cast<int>(request->state()) == static_cast<int>(row->state())) {
            *response->add_deliveries() = manager::Show(*row, false);
          }
        }
        done(absl::OkStatus());
      });
  return reactor;
}

grpc::ServerUnaryReactor* WebhookService::GetDelivery(grpc::CallbackServerContext* context,
                                                      const v1::GetDeliveryRequest* request,
                                                      v1::Delivery* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.WebhookService.GetDelivery", done);
  if (!caller) return reactor;
  backend_.engine.Read([this, caller = *caller, request, response, done](const auto&, const Now&) {
    const auto* row = FindDeliveryFor(caller, backend_.cluster, request->id());
    if (row == nullptr) return done(NoDelivery(request->id()));
    *response = manager::Show(*row, true);
    done(absl::OkStatus());
  });
  return reactor;
}

grpc::ServerUnaryReactor* WebhookService::ReplayDelivery(grpc::CallbackServerContext* context,
                                                         const v1::ReplayDeliveryRequest* request,
                                                         v1::ReplayDeliveryResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.WebhookService.ReplayDelivery", done);
  if (!caller) return reactor;
  if (request->id().empty() == request->webhook().empty()) {
    return done(InvalidField("id", "wanted: either the id of a delivery, or a webhook")), reactor;
  }
  backend_.engine.Change(
      [this, caller = *caller, request, response](const Now& now) -> absl::StatusOr<ChangeSet> {
        Webhooks& webhooks = backend_.cluster.webhooks();
        if (!request->id().empty()) {
          if (FindDeliveryFor(caller, backend_.cluster, request->id()) == nullptr) {
            return NoDelivery(request->id());
          }
          response->set_replayed(1);
          return webhooks.Replay(request->id(), now);
        }
        if (FindFor(caller, backend_.cluster, request->webhook()) == nullptr) {
          return NoWebhook(request->webhook());
        }
        int replayed = 0;
        auto changes = webhooks.ReplayParked(request->webhook(), now, replayed);
        response->set_replayed(replayed);
        return changes;
      },
      caller->On(request->id().empty() ? TargetOf(request->webhook())
                                       : absl::StrCat("delivery/", Printable(request->id(), 64))),
      [this, done](const absl::Status& status) {
        if (status.ok()) hooks_.added();
        done(status);
      });
  return reactor;
}

}  // namespace hostq::manager
