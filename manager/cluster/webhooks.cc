#include "manager/cluster/webhooks.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/base/backoff.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "google/protobuf/util/json_util.h"
#include "manager/cluster/draft.h"
#include "manager/cluster/validate.h"

namespace hostq::manager {
namespace {

constexpr char kWebhook[] = "webhook";
constexpr char kDelivery[] = "delivery";
constexpr absl::string_view kTest = "test";  // a delivery's type
constexpr size_t kMaxWebhookName = 63;
constexpr size_t kMaxWebhookNote = 500;
constexpr size_t kMaxAnswerLength = 300;
// A position that was not stored for so many events costs as many to be looked at after a restart.
constexpr int64_t kMaxUnstored = 1'000;
// Full jitter: receivers that came back together are not asked together.
constexpr BackoffPolicy kBackoff{absl::Seconds(10), absl::Hours(1), 2, 0};
// A receiver that restarts is no finding.
constexpr absl::Duration kFailingFinding = absl::Minutes(5);

constexpr absl::string_view kEvents[] = {
    "command.finished", "task.parked",    "finding.new",       "finding.cleared",
    "alarm.raised",     "alarm.cleared",  "node.added",        "node.joined",
    "node.connected",   "node.paused",    "node.disconnected", "node.resumed",
    "node.removed",     "node.preflight", "node.drifted",      "node.repaired"};

absl::Status UnknownWebhook(absl::string_view name) {
  return MakeError(absl::StatusCode::kNotFound, Reason::kUnknownWebhook,
                   absl::StrCat("name: there is no webhook ", Printable(name, 64)));
}

absl::Status UnknownDelivery(absl::string_view id) {
  return MakeError(absl::StatusCode::kNotFound, Reason::kUnknownDelivery,
                   absl::StrCat("id: there is no delivery ", Printable(id, 64)));
}

// For the audit.
std::string JsonOf(storage::v1::Webhook row) {
  for (storage::v1::SigningSecret& secret : *row.mutable_secrets()) secret.clear_text();
  row.clear_last_answer();
  row.clear_last_answer_time();
  row.clear_sequence();
  std::string json;
  (void)google::protobuf::util::MessageToJsonString(row, &json);
  return json;
}

absl::Time NextTime(const storage::v1::Delivery& row) {
  return FromTimestamp(row.next_attempt_time());
}

}  // namespace

absl::Span<const absl::string_view> WebhookEvents() { return kEvents; }

absl::StatusOr<bool> Webhooks::Load(const ResourceChange& row) {
  const auto unreadable = [&] {
    return MakeError(absl::StatusCode::kDataLoss, Reason::kStoreUnavailable,
                     absl::StrCat("stored ", row.kind, " ", Printable(row.key), " cannot be read"));
  };
  if (row.kind == kWebhook) {
    storage::v1::Webhook webhook;
    if (!row.data || !webhook.ParseFromString(*row.data) || webhook.name() != row.key) {
      return unreadable();
    }
    books_[row.key].position = webhook.sequence();
    webhooks_[row.key] = std::move(webhook);
    return true;
  }
  if (row.kind != kDelivery) return false;
  storage::v1::Delivery delivery;
  if (!row.data || !delivery.ParseFromString(*row.data) || delivery.id() != row.key) {
    return unreadable();
  }
  Index(delivery, true);
  deliveries_[row.key] = std::move(delivery);
  return true;
}

void Webhooks::AddRows(std::vector<ResourceChange>& out) const {
  for (const auto& [name, row] : webhooks_) {
    out.push_back({kWebhook, name, row.SerializeAsString()});
  }
  for (const auto& [id, row] : deliveries_) {
    out.push_back({kDelivery, id, row.SerializeAsString()});
  }
}

const storage::v1::Webhook* Webhooks::Find(absl::string_view name) const {
  const auto found = webhooks_.find(name);
  return found == webhooks_.end() ? nullptr : &found->second;
}

const storage::v1::Delivery* Webhooks::FindDelivery(absl::string_view id) const {
  const auto found = deliveries_.find(id);
  return found == deliveries_.end() ? nullptr : &found->second;
}

std::vector<const storage::v1::Delivery*> Webhooks::DeliveriesOf(absl::string_view webhook) const {
  std::vector<const storage::v1::Delivery*> found;
  for (const auto& [id, row] : deliveries_) {
    if (row.webhook() == webhook) found.push_back(&row);
  }
  std::sort(found.begin(), found.end(), [](const auto* a, const auto* b) {
    const absl::Time at = FromTimestamp(a->create_time());
    const absl::Time bt = FromTimestamp(b->create_time());
    return std::tie(bt, b->id()) < std::tie(at, a->id());
  });
  return found;
}

Webhooks::Counts Webhooks::CountsOf(absl::string_view webhook) const {
  const auto book = books_.find(webhook);
  if (book == books_.end()) return {};
  return {static_cast<int>(book->second.pending.size()),
          static_cast<int>(book->second.parked.size())};
}

bool Webhooks::Ended(const storage::v1::Webhook& webhook, absl::Time now) const {
  if (webhook.key_id().empty()) return false;
  const auto key = keys_.find(webhook.key_id());
  return key == keys_.end() || key->second.has_revoke_time() ||
         FromTimestamp(key->second.expire_time()) <= now;
}

void Webhooks::Put(storage::v1::Webhook row, ChangeSet& changes) {
  Book& book = books_[row.name()];
  book.position = std::max(book.position, row.sequence());
  row.set_sequence(book.position);
  changes.resources.push_back({kWebhook, row.name(), row.SerializeAsString()});
  webhooks_[row.name()] = std::move(row);
}

void Webhooks::Put(storage::v1::Delivery row, ChangeSet& changes) {
  if (const storage::v1::Delivery* old = FindDelivery(row.id())) Index(*old, false);
  Index(row, true);
  changes.resources.push_back({kDelivery, row.id(), row.SerializeAsString()});
  deliveries_[row.id()] = std::move(row);
}

void Webhooks::Erase(const std::string& id, ChangeSet& changes) {
  const auto found = deliveries_.find(id);
  HOSTQ_CHECK(found != deliveries_.end());
  Index(found->second, false);
  changes.resources.push_back({kDelivery, id, std::nullopt});
  deliveries_.erase(found);
}

void Webhooks::Index(const storage::v1::Delivery& row, bool add) {
  Book& book = books_[row.webhook()];
  const auto in = [&](auto& set, auto entry) {
    add ? (void)set.insert(std::move(entry)) : (void)set.erase(entry);
  };
  switch (row.state()) {
    case storage::v1::Delivery::PENDING:
      return in(book.pending, std::make_pair(NextTime(row), row.id()));
    case storage::v1::Delivery::PARKED:
      return in(book.parked, row.id());
    default:
      return in(book.delivered, std::make_pair(FromTimestamp(row.last_attempt_time()), row.id()));
  }
}

absl::StatusOr<storage::v1::Webhook> Webhooks::Take(absl::string_view name) const {
  const storage::v1::Webhook* found = Find(name);
  if (found == nullptr) return UnknownWebhook(name);
  return *found;
}

absl::StatusOr<ChangeSet> Webhooks::Add(storage::v1::Webhook row, int64_t sequence,
                                        const Now& now) {
  HOSTQ_RETURN_IF_ERROR(CheckName("name", row.name(), kMaxWebhookName));
  if (Find(row.name()) != nullptr) {
    return MakeError(absl::StatusCode::kAlreadyExists, Reason::kWebhookExists,
                     absl::StrCat("name: there is a webhook ", row.name()));
  }
  const auto of_key = std::count_if(webhooks_.begin(), webhooks_.end(), [&](const auto& entry) {
    return entry.second.key_id() == row.key_id();
  });
  if (webhooks_.size() >= kMaxWebhooks ||
      (!row.key_id().empty() && static_cast<size_t>(of_key) >= kMaxOfKey)) {
    return MakeError(absl::StatusCode::kResourceExhausted, Reason::kWebhookLimitReached,
                     absl::StrCat("there are ", webhooks_.size(), " webhooks, ", of_key,
                                  " of them this caller's: at most ", kMaxWebhooks, ", and ",
                                  kMaxOfKey, " of a key"));
  }
  ChangeSet changes;
  *row.mutable_create_time() = ToTimestamp(now.wall);
  row.set_sequence(sequence);
  for (storage::v1::SigningSecret& secret : *row.mutable_secrets()) {
    *secret.mutable_create_time() = ToTimestamp(now.wall);
  }
  changes.after = JsonOf(row);
  Put(std::move(row), changes);
  return changes;
}

absl::StatusOr<ChangeSet> Webhooks::Delete(absl::string_view name, int& dropped) {
  HOSTQ_ASSIGN_OR_RETURN(const storage::v1::Webhook row, Take(name));
  ChangeSet changes;
  changes.before = JsonOf(row);
  const Counts counts = CountsOf(name);
  dropped = counts.pending + counts.parked;
  for (const auto* delivery : DeliveriesOf(name)) {
    const std::string id = delivery->id();
    Erase(id, changes);
  }
  changes.resources.push_back({kWebhook, row.name(), std::nullopt});
  webhooks_.erase(row.name());
  books_.erase(row.name());
  return changes;
}

absl::StatusOr<ChangeSet> Webhooks::Pause(absl::string_view name, absl::string_view note,
                                          absl::string_view actor, const Now& now) {
  HOSTQ_ASSIGN_OR_RETURN(storage::v1::Webhook row, Take(name));
  HOSTQ_RETURN_IF_ERROR(CheckText("note", note, kMaxWebhookNote));
  ChangeSet changes;
  changes.before = JsonOf(row);
  if (!row.has_pause_time()) *row.mutable_pause_time() = ToTimestamp(now.wall);
  row.set_paused_by(std::string(actor));
  row.set_pause_note(std::string(note));
  changes.after = JsonOf(row);
  Put(std::move(row), changes);
  return changes;
}

absl::StatusOr<ChangeSet> Webhooks::Resume(absl::string_view name, int64_t skip_to) {
  HOSTQ_ASSIGN_OR_RETURN(storage::v1::Webhook row, Take(name));
  ChangeSet changes;
  changes.before = JsonOf(row);
  row.clear_pause_time();
  row.clear_paused_by();
  row.clear_pause_note();
  row.set_sequence(std::max(row.sequence(), skip_to));
  changes.after = JsonOf(row);
  Put(std::move(row), changes);
  return changes;
}

absl::StatusOr<ChangeSet> Webhooks::Rotate(absl::string_view name,
                                           storage::v1::SigningSecret secret, absl::Duration keep,
                                           const Now& now) {
  HOSTQ_ASSIGN_OR_RETURN(storage::v1::Webhook row, Take(name));
  ChangeSet changes;
  changes.before = JsonOf(row);
  storage::v1::SigningSecret old = row.secrets(0);
  row.clear_secrets();
  *secret.mutable_create_time() = ToTimestamp(now.wall);
  *row.add_secrets() = std::move(secret);
  if (keep > absl::ZeroDuration()) {
    *old.mutable_end_time() = ToTimestamp(now.wall + keep);
    *row.add_secrets() = std::move(old);
  }
  changes.after = JsonOf(row);
  Put(std::move(row), changes);
  return changes;
}

void Webhooks::Requeue(storage::v1::Delivery row, const Now& now, ChangeSet& changes) {
  row.set_state(storage::v1::Delivery::PENDING);
  row.set_attempts(0);
  row.clear_first_attempt_time();
  *row.mutable_next_attempt_time() = ToTimestamp(now.wall);
  Put(std::move(row), changes);
}

absl::StatusOr<ChangeSet> Webhooks::Replay(absl::string_view id, const Now& now) {
  const storage::v1::Delivery* row = FindDelivery(id);
  if (row == nullptr) return UnknownDelivery(id);
  ChangeSet changes;
  Requeue(*row, now, changes);
  return changes;
}

absl::StatusOr<ChangeSet> Webhooks::ReplayParked(absl::string_view webhook, const Now& now,
                                                 int& replayed) {
  HOSTQ_RETURN_IF_ERROR(Take(webhook).status());
  ChangeSet changes;
  const std::set<std::string> parked = books_.find(webhook)->second.parked;
  for (const std::string& id : parked) Requeue(*FindDelivery(id), now, changes);
  replayed = static_cast<int>(parked.size());
  return changes;
}

bool Webhooks::TakesOn(const storage::v1::Webhook& webhook, int64_t sequence,
                       absl::Time now) const {
  return books_.find(webhook.name())->second.position < sequence && !webhook.has_pause_time() &&
         !Ended(webhook, now) && !CountsOf(webhook.name()).full();
}

int64_t Webhooks::NextSequence(absl::Time now) const {
  int64_t next = std::numeric_limits<int64_t>::max();
  for (const auto& [name, row] : webhooks_) {
    if (TakesOn(row, std::numeric_limits<int64_t>::max(), now)) {
      next = std::min(next, books_.find(name)->second.position);
    }
  }
  return next;
}

void Webhooks::Add(storage::v1::Delivery delivery, const Now& now, ChangeSet& changes) {
  if (FindDelivery(delivery.id()) != nullptr) return;
  delivery.set_state(storage::v1::Delivery::PENDING);
  *delivery.mutable_create_time() = ToTimestamp(now.wall);
  *delivery.mutable_next_attempt_time() = ToTimestamp(now.wall);
  Put(std::move(delivery), changes);
}

void Webhooks::Reached(absl::string_view webhook, int64_t sequence, ChangeSet& changes) {
  const auto found = webhooks_.find(webhook);
  if (found == webhooks_.end()) return;
  Book& book = books_[found->first];
  if (book.position >= sequence) return;
  book.position = sequence;
  const bool added = std::any_of(changes.resources.begin(), changes.resources.end(),
                                 [&](const ResourceChange& change) {
                                   return change.kind == kDelivery && change.data &&
                                          FindDelivery(change.key)->webhook() == webhook;
                                 });
  // With its deliveries, so that one that was taken and forgotten is not made once more.
  if (added || sequence - found->second.sequence() >= kMaxUnstored) {
    Put(storage::v1::Webhook(found->second), changes);
  }
}

std::vector<Webhooks::Due> Webhooks::TakeDue(absl::Time now, const Busy& busy, size_t max,
                                             absl::Time& next) const {
  std::vector<Due> due;
  next = absl::InfiniteFuture();
  for (const auto& [name, row] : webhooks_) {
    if (Ended(row, now)) continue;
    const auto its_busy = busy.find(name);
    const std::set<std::string> none;
    const std::set<std::string>& under_way = its_busy == busy.end() ? none : its_busy->second;
    size_t free = row.has_failing_time() ? 1 : max;
    free -= std::min(free, under_way.size());
    for (const auto& [time, id] : books_.find(name)->second.pending) {
      if (free == 0) break;  // asked again when one of them ends
      if (time > now) {
        next = std::min(next, time);
        break;
      }
      if (under_way.count(id) != 0) continue;
      const storage::v1::Delivery& delivery = *FindDelivery(id);
      if (row.has_pause_time() && delivery.type() != kTest) continue;
      std::vector<std::string> secrets;
      for (const storage::v1::SigningSecret& secret : row.secrets()) {
        if (!secret.has_end_time() || FromTimestamp(secret.end_time()) > now) {
          secrets.push_back(secret.text());
        }
      }
      due.push_back({delivery, row.url(), std::move(secrets)});
      --free;
    }
  }
  return due;
}

ChangeSet Webhooks::Attempted(absl::string_view id, bool ok, absl::string_view answer,
                              const Now& now, Random& random) {
  ChangeSet changes;
  const storage::v1::Delivery* found = FindDelivery(id);
  if (found == nullptr) return changes;  // the webhook was deleted meanwhile
  storage::v1::Delivery row = *found;
  row.set_attempts(row.attempts() + 1);
  *row.mutable_last_attempt_time() = ToTimestamp(now.wall);
  if (!row.has_first_attempt_time()) *row.mutable_first_attempt_time() = ToTimestamp(now.wall);
  row.set_answer(Printable(answer, kMaxAnswerLength));
  storage::v1::Webhook webhook = webhooks_.find(row.webhook())->second;
  webhook.set_last_answer(row.answer());
  *webhook.mutable_last_answer_time() = ToTimestamp(now.wall);
  row.clear_next_attempt_time();
  if (ok) {
    row.set_state(storage::v1::Delivery::DELIVERED);
    webhook.clear_failing_time();
  } else {
    // A test tells whoever asked for it, and nobody else.
    if (!webhook.has_failing_time() && row.type() != kTest) {
      *webhook.mutable_failing_time() = ToTimestamp(now.wall);
    }
    const absl::Duration tried = now.wall - FromTimestamp(row.first_attempt_time());
    if (row.type() == kTest || tried >= kGiveUpAfter) {
      row.set_state(storage::v1::Delivery::PARKED);
    } else {
      *row.mutable_next_attempt_time() = ToTimestamp(
          now.wall + std::max(absl::Seconds(1), BackoffDelay(kBackoff, row.attempts(), random)));
    }
  }
  Book& book = books_[row.webhook()];
  Put(std::move(row), changes);
  Put(std::move(webhook), changes);
  while (book.delivered.size() > kMaxDelivered) {
    const std::string oldest = book.delivered.begin()->second;
    Erase(oldest, changes);
  }
  return changes;
}

std::vector<Finding> Webhooks::Findings(absl::Time now) const {
  std::vector<Finding> findings;
  for (const auto& [name, row] : webhooks_) {
    const Counts counts = CountsOf(name);
    const std::set<std::string>& parked = books_.find(name)->second.parked;
    const bool given_up = std::any_of(parked.begin(), parked.end(), [&](const std::string& id) {
      return FindDelivery(id)->type() != kTest;
    });
    const absl::Time since =
        row.has_failing_time() ? FromTimestamp(row.failing_time()) : absl::InfiniteFuture();
    if (Ended(row, now) || (!given_up && now - since < kFailingFinding)) continue;
    const ReasonInfo& info = InfoOf(Reason::kWebhookFailing);
    Finding finding;
    finding.resource_key = absl::StrCat("webhook/", name);
    finding.reason = Reason::kWebhookFailing;
    finding.since = since == absl::InfiniteFuture() ? FromTimestamp(row.last_answer_time()) : since;
    finding.owner = info.owner;
    finding.evidence = {{"url", row.url()},
                        {"answer", row.last_answer()},
                        {"pending", absl::StrCat(counts.pending)},
                        {"parked", absl::StrCat(counts.parked)}};
    finding.summary =
        absl::StrCat("webhook ", name, ": ", counts.pending, " deliveries wait and ", counts.parked,
                     " are parked; the last answer: ", row.last_answer());
    finding.remedy = absl::StrCat(
        "see what it answers: hostq webhook show ", name,
        "; when the receiver is mended, send what it has missed: hostq webhook replay ", name);
    finding.stuck = true;
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace hostq::manager
