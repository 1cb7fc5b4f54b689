#include "manager/api/webhook_feed.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/error.h"
#include "common/base/id.h"
#include "common/log/log.h"
#include "google/protobuf/util/json_util.h"
#include "hostq/v1/webhook_service.pb.h"
#include "manager/api/convert.h"
#include "manager/api/key_scope.h"
#include "manager/api/key_service.h"
#include "manager/webhook/filter.h"

namespace hostq::manager {
namespace {

constexpr int64_t kNobody = std::numeric_limits<int64_t>::max();
// Events in one change: the engine has others to serve.
constexpr size_t kMaxEvents = 100;
constexpr int kMaxTasks = 10;
constexpr absl::Duration kRetryAfter = absl::Seconds(5);

// An event and the command that it is about, as far as anybody asks for it.
struct Item {
  EventHub::EventPtr event;
  std::string name;
  std::optional<Command> command;
};

bool IsAboutCommand(absl::string_view name) {
  return absl::StartsWith(name, "command.") || absl::StartsWith(name, "task.");
}

v1::WebhookCommand ShowCommand(const Command& command, const Rights& rights,
                               const Subject& subject) {
  const v1::Command all = ToProto(command);
  v1::WebhookCommand out;
  out.set_id(all.id());
  out.set_kind(all.kind());
  out.set_resource_key(all.resource_key());
  out.set_account(subject.account);
  out.set_state(all.state());
  out.set_request_id(all.request_id());
  out.set_actor(all.actor());
  *out.mutable_create_time() = all.create_time();
  if (all.has_finish_time()) *out.mutable_finish_time() = all.finish_time();
  for (const v1::Task& task : all.tasks()) {
    if (task.outcome() == v1::Task::SUCCEEDED || out.tasks_size() == kMaxTasks) continue;
    if (!AllowsNode(rights, Verb::kRead, subject, task.node())) continue;
    v1::WebhookTask& shown = *out.add_tasks();
    shown.set_node(task.node());
    shown.set_phase(task.phase());
    shown.set_outcome(task.outcome());
    shown.set_reason(task.reason());
    shown.set_message(task.message());
  }
  return out;
}

}  // namespace

std::string WebhookEventOf(const v1::Event& event) {
  switch (event.type()) {
    case v1::Event::COMMAND_FINISHED:
      return "command.finished";
    case v1::Event::TASK_CHANGED:
      return event.to_phase() == v1::Task::PARKED ? "task.parked" : "";
    default:
      break;
  }
  const std::string name =
      absl::StrReplaceAll(absl::AsciiStrToLower(v1::Event::Type_Name(event.type())), {{"_", "."}});
  return absl::StartsWith(name, "node.") || absl::StartsWith(name, "alarm.") ? name : "";
}

// At any time at most one step is under way: engine, worker, engine, and again, or the hub has it.
class WebhookFeed::Core : public EventHub::Waiter, public std::enable_shared_from_this<Core> {
 public:
  explicit Core(const Parts& parts) : parts_(parts) {}

  void Wake() override { Poke(); }

  void Poke() {
    {
      const MutexLock lock(mutex_);
      if (std::exchange(running_, true)) {
        again_ = true;
        return;
      }
      again_ = false;
    }
    (void)parts_.hub.CancelWait(shared_from_this());
    Step();
  }

 private:
  // From where on, and for what, is the engine's to say.
  void Step() {
    if (parts_.hub.stopped()) return;
    parts_.engine.Read([self = shared_from_this()](const auto&, const Now& now) {
      const Webhooks& webhooks = self->parts_.cluster.webhooks();
      const int64_t from = webhooks.NextSequence(now.wall);
      if (from == kNobody) return self->Rest(kNobody);
      std::set<std::string> wanted;
      for (const absl::string_view event : WebhookEvents()) {
        for (const auto& [name, webhook] : webhooks.all()) {
          if (WantsEvent(webhook, event)) wanted.insert(std::string(event));
        }
      }
      self->parts_.workers.Post([self, from, wanted] { self->Gather(from, wanted); });
    });
  }

  // On a worker.
  void Gather(int64_t from, const std::set<std::string>& wanted) {
    auto events = parts_.hub.After(from);
    if (!events.ok()) {
      LogError("events for webhooks cannot be read", {{"status", events.status()}});
      return TryLater();
    }
    if (events->empty()) return Rest(from);
    if (events->size() > kMaxEvents) events->resize(kMaxEvents);
    const int64_t last = events->back()->sequence();
    auto items = std::make_shared<std::vector<Item>>();
    for (EventHub::EventPtr& event : *events) {
      std::string name = WebhookEventOf(*event);
      if (wanted.count(name) == 0) continue;
      Item item{std::move(event), std::move(name), std::nullopt};
      if (IsAboutCommand(item.name)) {
        const std::optional<CommandId> id = ParseId(item.event->command_id());
        absl::StatusOr<Command> command =
            id ? parts_.store.GetCommand(*id) : absl::StatusOr<Command>(absl::NotFoundError(""));
        if (command.ok()) {
          item.command = *std::move(command);
        } else if (command.status().code() != absl::StatusCode::kNotFound) {
          LogError("a command for webhooks cannot be read", {{"status", command.status()}});
          return TryLater();
        }
      }
      items->push_back(std::move(item));
    }
    const auto added = std::make_shared<bool>(false);
    parts_.engine.Change(
        [self = shared_from_this(), items, last,
         added](const Now& now) -> absl::StatusOr<ChangeSet> {
          ChangeSet changes = self->Deliver(*items, last, now);
          *added = !changes.resources.empty();
          return changes;
        },
        "manager",
        [self = shared_from_this(), added](const absl::Status& status) {
          if (!status.ok()) return self->TryLater();
          if (*added) self->parts_.added();
          self->Step();
        });
  }

  // On the engine's thread.
  ChangeSet Deliver(const std::vector<Item>& items, int64_t last, const Now& now) {
    ChangeSet changes;
    Webhooks& webhooks = parts_.cluster.webhooks();
    std::vector<std::string> names;
    for (const auto& [name, webhook] : webhooks.all()) names.push_back(name);
    for (const std::string& name : names) {
      const storage::v1::Webhook webhook = *webhooks.Find(name);
      if (!webhooks.TakesOn(webhook, last, now.wall)) continue;
      const Rights rights = RightsOf(webhook);
      int64_t reached = last;
      for (const Item& item : items) {
        const int64_t sequence = item.event->sequence();
        if (!webhooks.TakesOn(webhook, sequence, now.wall)) {
          if (!webhooks.CountsOf(name).full()) continue;
          reached = sequence - 1;
          break;
        }
        std::optional<std::string> body = BodyFor(webhook, rights, item);
        if (!body) continue;
        storage::v1::Delivery delivery;
        delivery.set_id(absl::StrCat(webhook.id(), "-", sequence));
        delivery.set_webhook(name);
        delivery.set_type(item.name);
        delivery.set_body(*std::move(body));
        delivery.set_traceparent(item.event->traceparent());
        webhooks.Add(std::move(delivery), now, changes);
      }
      webhooks.Reached(name, reached, changes);
    }
    return changes;
  }

  Rights RightsOf(const storage::v1::Webhook& webhook) const {
    if (webhook.key_id().empty()) return Rights{true, {}, false, {}, {}, {}};
    const auto found = parts_.cluster.keys().find(webhook.key_id());
    if (found == parts_.cluster.keys().end()) return {};
    const absl::StatusOr<ApiKey> key = FromRow(found->second);
    return key.ok() ? key->rights() : Rights{};
  }

  // Nothing: the webhook does not ask for it, or may not see it.
  std::optional<std::string> BodyFor(const storage::v1::Webhook& webhook, const Rights& rights,
                                     const Item& item) const {
    if (!WantsEvent(webhook, item.name)) return std::nullopt;
    v1::WebhookPayload payload;
    if (IsAboutCommand(item.name)) {
      if (!item.command) return std::nullopt;  // the history does not have it any more
      const Command& command = *item.command;
      const Subject subject = SubjectOf(command, parts_.cluster);
      // What the manager does by itself, and parts of something greater, nobody asked for.
      const bool own = command.actor == "manager" || command.part_of != 0;
      if ((own && webhook.kinds().empty()) ||
          !WantsCommand(webhook, command.kind, subject.account) ||
          !AllowsSome(rights, Verb::kRead, subject)) {
        return std::nullopt;
      }
      if (!item.event->node().empty() &&
          !AllowsNode(rights, Verb::kRead, subject, item.event->node())) {
        return std::nullopt;
      }
      *payload.mutable_command() = ShowCommand(command, rights, subject);
    } else if (!AllowsEverything(rights, Verb::kRead)) {
      return std::nullopt;
    }
    payload.set_id(absl::StrCat(webhook.id(), "-", item.event->sequence()));
    payload.set_type(item.name);
    *payload.mutable_time() = item.event->time();
    payload.set_cluster(parts_.name);
    *payload.mutable_event() = *item.event;
    google::protobuf::util::JsonPrintOptions options;
    options.always_print_primitive_fields = true;
    std::string json;
    HOSTQ_CHECK(google::protobuf::util::MessageToJsonString(payload, &json, options).ok());
    return json;
  }

  // Until there is something after `from`, or somebody pokes.
  void Rest(int64_t from) {
    {
      const MutexLock lock(mutex_);
      running_ = false;
      if (!std::exchange(again_, false)) {
        if (from == kNobody) return;
      } else {
        from = -1;
      }
    }
    if (from < 0) return Poke();
    parts_.hub.Wait(from, shared_from_this());
  }

  void TryLater() {
    parts_.later(kRetryAfter, [self = shared_from_this()] { self->Step(); });
  }

  const Parts parts_;
  Mutex mutex_;
  // A step is under way; somebody has poked since it began.
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
  bool again_ ABSL_GUARDED_BY(mutex_) = false;
};

WebhookFeed::WebhookFeed(const Parts& parts) : core_(std::make_shared<Core>(parts)) { Poke(); }

WebhookFeed::~WebhookFeed() = default;

void WebhookFeed::Poke() { core_->Poke(); }

}  // namespace hostq::manager
