#include "manager/webhook/sender.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/mutex.h"
#include "common/base/random.h"
#include "common/base/text.h"
#include "common/log/log.h"
#include "manager/webhook/signature.h"

namespace hostq::manager {
namespace {

// Nothing waits longer for a look than this, whatever was missed: a webhook that is resumed, say.
constexpr absl::Duration kLongest = absl::Seconds(5);
constexpr absl::Duration kShortest = absl::Milliseconds(20);

// "204", or "503: try later", or why there is no answer.
std::string TextOf(const absl::StatusOr<HttpClient::Answer>& answer) {
  if (!answer.ok()) return std::string(answer.status().message());
  std::string text = absl::StrCat(answer->status);
  if (answer->status >= 300 && answer->status < 400) text += ": redirects are not followed";
  const std::string line = answer->body.substr(0, answer->body.find('\n'));
  if (!answer->ok() && !line.empty()) absl::StrAppend(&text, ": ", Printable(line, 200));
  return text;
}

}  // namespace

// Outlives Stop() as long as the engine holds on to it.
struct Sender::Core : std::enable_shared_from_this<Core> {
  Core(Engine& the_engine, Cluster& the_cluster, Clock& the_clock,
       std::unique_ptr<HttpClient> the_client)
      : engine(the_engine),
        cluster(the_cluster),
        clock(the_clock),
        random(RandomSeed()),
        client(std::move(the_client)) {}

  // Runs `job` on the client's thread, unless it was stopped.
  void Later(absl::Duration delay, std::function<void()> job) {
    const MutexLock lock(mutex);
    if (client != nullptr) client->After(delay, std::move(job));
  }

  // --- on the client's thread ---
  void Look() {
    if (looking) {
      again = true;
      return;
    }
    looking = true;
    again = false;
    engine.Read([self = shared_from_this(), now_busy = busy](const auto&, const Now& now) {
      absl::Time next;
      auto due = std::make_shared<std::vector<Webhooks::Due>>(
          self->cluster.webhooks().TakeDue(now.wall, now_busy, kParallel, next));
      const absl::Duration wait = std::clamp(next - now.wall, kShortest, kLongest);
      self->Later(absl::ZeroDuration(), [self, due, wait] { self->Looked(*due, wait); });
    });
  }

  void Looked(const std::vector<Webhooks::Due>& due, absl::Duration wait) {
    looking = false;
    for (const Webhooks::Due& each : due) Send(each);
    if (again) return Look();
    const uint64_t turn = ++turns;
    Later(wait, [self = shared_from_this(), turn] {
      if (turn == self->turns) self->Look();  // otherwise a later one is waited for
    });
  }

  void Send(const Webhooks::Due& due) {
    const storage::v1::Delivery& delivery = due.delivery;
    busy[delivery.webhook()].insert(delivery.id());
    const auto done = [self = shared_from_this(), webhook = delivery.webhook(),
                       id = delivery.id()](const absl::StatusOr<HttpClient::Answer>& answer) {
      self->Answered(webhook, id, answer);
    };
    const absl::StatusOr<Url> url = ParseUrl(due.url);
    if (!url.ok()) return done(url.status());  // it was checked when it was stored
    HttpClient::Request request;
    request.url = *url;
    request.body = delivery.body();
    request.headers = {{"content-type", "application/json"},
                       {"user-agent", absl::StrCat("hostq/", HOSTQ_VERSION)},
                       {"hostq-delivery", delivery.id()},
                       {"hostq-event", delivery.type()},
                       {"hostq-signature", SignatureOf(due.secrets, clock.Now(), request.body)}};
    if (!delivery.traceparent().empty()) {
      request.headers.emplace_back("traceparent", delivery.traceparent());
    }
    const MutexLock lock(mutex);
    if (client != nullptr) client->Post(std::move(request), done);
  }

  void Answered(const std::string& webhook, const std::string& id,
                const absl::StatusOr<HttpClient::Answer>& answer) {
    const bool ok = answer.ok() && answer->ok();
    const std::string text = TextOf(answer);
    if (ok) {
      LogDebug("delivery taken", {{"webhook", webhook}, {"delivery", id}, {"answer", text}});
    } else {
      LogWarning("delivery not taken", {{"webhook", webhook}, {"delivery", id}, {"answer", text}});
    }
    engine.Change(
        [self = shared_from_this(), id, ok, text](const Now& now) -> absl::StatusOr<ChangeSet> {
          return self->cluster.webhooks().Attempted(id, ok, text, now, self->random);
        },
        "manager",
        [self = shared_from_this(), webhook, id](const absl::Status& status) {
          // Not written: tried again in a while, and noted then.
          const absl::Duration wait = status.ok() ? absl::ZeroDuration() : kLongest;
          self->Later(wait, [self, webhook, id] {
            const auto found = self->busy.find(webhook);
            found->second.erase(id);
            if (found->second.empty()) self->busy.erase(found);
            self->Look();
          });
          std::function<void()> tell;
          {
            const MutexLock lock(self->mutex);
            if (self->client != nullptr) tell = self->taken;
          }
          if (tell) tell();
        });
  }

  Engine& engine;
  Cluster& cluster;  // on the engine's thread only
  Clock& clock;
  SeededRandom random;  // on the engine's thread only

  // On the client's thread only.
  Webhooks::Busy busy;
  bool looking = false;  // the engine is being asked
  bool again = false;
  uint64_t turns = 0;

  Mutex mutex;
  std::unique_ptr<HttpClient> client ABSL_GUARDED_BY(mutex);  // null: stopped
  std::function<void()> taken ABSL_GUARDED_BY(mutex);
};

Sender::Sender(Engine& engine, Cluster& cluster, Clock& clock, std::unique_ptr<HttpClient> client)
    : core_(std::make_shared<Core>(engine, cluster, clock, std::move(client))) {
  Wake();
}

Sender::~Sender() { Stop(); }

void Sender::Wake() {
  core_->Later(absl::ZeroDuration(), [core = core_] { core->Look(); });
}

void Sender::After(absl::Duration delay, std::function<void()> job) {
  core_->Later(delay, std::move(job));
}

void Sender::OnTaken(std::function<void()> taken) {
  const MutexLock lock(core_->mutex);
  core_->taken = std::move(taken);
}

void Sender::Stop() {
  std::unique_ptr<HttpClient> client;
  {
    const MutexLock lock(core_->mutex);
    client = std::move(core_->client);
  }
  if (client != nullptr) client->Stop();
}

}  // namespace hostq::manager
