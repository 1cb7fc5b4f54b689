#include "manager/notify/notifier.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/log/log.h"
#include "google/protobuf/util/json_util.h"
#include "google/protobuf/util/time_util.h"
#include "hostq/v1/webhook_service.pb.h"
#include "manager/webhook/filter.h"

namespace hostq::manager {
namespace {

// What looking costs the engine stays below a fiftieth of its time.
constexpr int kLookShare = 50;
constexpr absl::Duration kMailRetry = absl::Minutes(1);
// How often somebody who waits for the engine looks whether it is to stop.
constexpr auto kPatience = std::chrono::milliseconds(100);

google::protobuf::Timestamp ToProto(absl::Time time) {
  return google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(time));
}

std::string BodyOf(const Notice& notice, const std::string& type, const std::string& id,
                   const std::string& cluster, absl::Time now) {
  v1::WebhookPayload payload;
  payload.set_id(id);
  payload.set_type(type);
  *payload.mutable_time() = ToProto(now);
  payload.set_cluster(cluster);
  v1::WebhookFinding& finding = *payload.mutable_finding();
  const Cause& cause = notice.cause;
  finding.set_cause(cause.Id());
  finding.set_reason(static_cast<v1::Reason::Code>(cause.reason));
  finding.set_owner(static_cast<v1::Finding::Owner>(cause.owner));
  *finding.mutable_since_time() = ToProto(cause.since);
  if (notice.cleared()) *finding.mutable_clear_time() = ToProto(notice.clear_time);
  finding.set_summary(cause.summary);
  finding.set_remedy(cause.remedy);
  finding.set_tasks(static_cast<int32_t>(cause.tasks + cause.waiting));
  for (const std::string& node : cause.nodes) finding.add_nodes(node);
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  std::string json;
  HOSTQ_CHECK(google::protobuf::util::MessageToJsonString(payload, &json, options).ok());
  return json;
}

// A delivery for each webhook that asks for it. One that has no room learns nothing: hostq stuck
// tells what there is.
void Deliver(const std::vector<Notice>& notices, const std::string& type,
             const std::string& cluster, const Now& now, Webhooks& webhooks, ChangeSet& changes) {
  int count = 0;
  for (const Notice& notice : notices) {
    ++count;
    for (const auto& [name, webhook] : webhooks.all()) {
      if (!WantsEvent(webhook, type) || webhook.has_pause_time() ||
          webhooks.Ended(webhook, now.wall) || webhooks.CountsOf(name).full()) {
        continue;
      }
      storage::v1::Delivery delivery;
      delivery.set_id(absl::StrCat(webhook.id(), "-", type.substr(8), "-",
                                   absl::ToUnixMicros(now.wall), "-", count));
      delivery.set_webhook(name);
      delivery.set_type(type);
      delivery.set_body(BodyOf(notice, type, delivery.id(), cluster, now.wall));
      webhooks.Add(std::move(delivery), now, changes);
    }
  }
}

}  // namespace

// Of the engine, which may come after the notifier has gone.
struct Notifier::Answer {
  void Give() {
    const MutexLock lock(mutex);
    given = true;
    wake.NotifyAll();
  }
  Mutex mutex;
  CondVar wake;
  bool given ABSL_GUARDED_BY(mutex) = false;
};

Notifier::Notifier(const Parts& parts, Notices::Rules rules, std::vector<Notice> told,
                   std::unique_ptr<Mailer> mailer)
    : parts_(parts), mailer_(std::move(mailer)), notices_(std::move(rules)) {
  for (Notice& notice : told) notices_.Load(std::move(notice));
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "notifier");
    Loop();
  });
}

Notifier::~Notifier() { Stop(); }

void Notifier::Stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    wake_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void Notifier::Sleep(absl::Duration span) {
  const absl::Duration until = parts_.clock.Monotonic() + span;
  const MutexLock lock(mutex_);
  while (!stopping_ && parts_.clock.Monotonic() < until) {
    wake_.WaitFor(mutex_, absl::ToChronoMilliseconds(until - parts_.clock.Monotonic() +
                                                     absl::Milliseconds(1)));
  }
}

void Notifier::Loop() {
  for (;;) {
    Sleep(std::max(kInterval, kLookShare * look_took_));
    {
      const MutexLock lock(mutex_);
      if (stopping_) return;
    }
    if (!Look()) return;
    SendMail();
  }
}

bool Notifier::Wait(Answer& answer) {
  for (;;) {
    {
      const MutexLock lock(answer.mutex);
      if (!answer.given) answer.wake.WaitFor(answer.mutex, kPatience);
      if (answer.given) return true;
    }
    const MutexLock lock(mutex_);
    if (stopping_) return false;
  }
}

bool Notifier::Look() {
  const auto answer = std::make_shared<Answer>();
  const auto findings = std::make_shared<std::vector<Finding>>();
  const auto took = std::make_shared<absl::Duration>();
  parts_.engine.Read([parts = parts_, answer, findings, took](const Queue& queue, const Now& now) {
    const absl::Duration begin = parts.clock.Monotonic();
    *findings = parts.findings(queue, now);
    *took = parts.clock.Monotonic() - begin;
    answer->Give();
  });
  if (!Wait(*answer)) return false;
  look_took_ = *took;
  Notices::Observed seen = notices_.Observe(GatherCauses(*findings), parts_.clock.Now());
  for (const Notice& notice : seen.raised) {
    LogWarning("stuck", {{"cause", notice.cause.Id()}, {"details", notice.cause.summary}});
  }
  for (const Notice& notice : seen.cleared) {
    LogInfo("not stuck any more", {{"cause", notice.cause.Id()}});
  }
  return seen.changed.empty() ||
         Store(seen.changed, std::move(seen.raised), std::move(seen.cleared));
}

bool Notifier::Store(const std::set<std::string>& changed, std::vector<Notice> raised,
                     std::vector<Notice> cleared) {
  std::vector<std::pair<std::string, std::optional<Notice>>> rows;
  for (const std::string& key : changed) {
    const auto found = notices_.notices().find(key);
    rows.emplace_back(
        key, found == notices_.notices().end() ? std::nullopt : std::optional(found->second));
  }
  const auto answer = std::make_shared<Answer>();
  parts_.engine.Change(
      [parts = parts_, rows = std::move(rows), raised = std::move(raised),
       cleared = std::move(cleared)](const Now& now) -> absl::StatusOr<ChangeSet> {
        ChangeSet changes;
        for (const auto& [key, notice] : rows) parts.cluster.notices().Put(key, notice, changes);
        Webhooks& webhooks = parts.cluster.webhooks();
        Deliver(raised, "finding.new", parts.name, now, webhooks, changes);
        Deliver(cleared, "finding.cleared", parts.name, now, webhooks, changes);
        return changes;
      },
      "manager",
      [parts = parts_, answer](const absl::Status& status) {
        if (status.ok()) {
          parts.added();
        } else {
          // In memory it holds all the same; a manager that begins anew may tell it again.
          LogWarning("what was told of stuck work cannot be noted", {{"status", status}});
        }
        answer->Give();
      });
  return Wait(*answer);
}

void Notifier::SendMail() {
  if (mailer_ == nullptr) return;
  const absl::Time now = parts_.clock.Now();
  if (now < mail_again_) return;
  const std::optional<Mail> mail = notices_.DueMail(now);
  if (!mail) return;
  const absl::Status sent = mailer_->Send(mail->subject, mail->body, now);
  mail_failing_ = sent.ok() ? absl::InfiniteFuture() : std::min(mail_failing_, now);
  parts_.engine.Read([parts = parts_, sent, since = mail_failing_](const auto&, const Now&) {
    parts.cluster.notices().SetMail(sent, since);
  });
  if (!sent.ok()) {
    LogWarning("a mail cannot be sent", {{"status", sent}});
    mail_again_ = now + kMailRetry;
    return;
  }
  LogInfo("mail sent", {{"subject", mail->subject}});
  Store(notices_.Mailed(*mail, now), {}, {});
}

}  // namespace hostq::manager
