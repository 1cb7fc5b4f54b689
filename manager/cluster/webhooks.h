#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/base/random.h"
#include "hostq/storage/v1/resource.pb.h"
#include "hostq/storage/v1/webhook.pb.h"
#include "manager/domain/findings.h"
#include "manager/domain/plan.h"
#include "manager/domain/types.h"

namespace hostq::manager {

// What a webhook can be told: "command.finished".
absl::Span<const absl::string_view> WebhookEvents();

// The webhooks and what is to be sent to them (docs/reference/webhooks.md). As Cluster, of which it
// is a part: pure; every change is made here and returned as rows to be committed. Not thread-safe:
// the engine's thread only.
class Webhooks {
 public:
  using Rows = std::map<std::string, storage::v1::Webhook, std::less<>>;
  using Keys = std::map<std::string, storage::v1::ApiKey, std::less<>>;
  // Of webhooks altogether, and of those of one key.
  static constexpr size_t kMaxWebhooks = 100;
  static constexpr size_t kMaxOfKey = 10;
  // Deliveries of one webhook that were not taken. Above it no event is taken on: the history keeps
  // them. About 1 MiB.
  static constexpr size_t kMaxWaiting = 1'000;
  // That were taken, for people to look at.
  static constexpr size_t kMaxDelivered = 100;
  static constexpr absl::Duration kGiveUpAfter = absl::Hours(72);

  // `keys`, by id, must outlive it.
  explicit Webhooks(const Keys& keys) : keys_(keys) {}

  // True: the row is one of these. Errors: DATA_LOSS.
  absl::StatusOr<bool> Load(const ResourceChange& row);
  void AddRows(std::vector<ResourceChange>& out) const;

  const Rows& all() const { return webhooks_; }
  const storage::v1::Webhook* Find(absl::string_view name) const;
  const storage::v1::Delivery* FindDelivery(absl::string_view id) const;
  // Of one webhook, the newest first.
  std::vector<const storage::v1::Delivery*> DeliveriesOf(absl::string_view webhook) const;
  struct Counts {
    int pending = 0;
    int parked = 0;
    bool full() const { return pending + parked >= static_cast<int>(kMaxWaiting); }
  };
  Counts CountsOf(absl::string_view webhook) const;
  // The key that made it is not let in any more.
  bool Ended(const storage::v1::Webhook& webhook, absl::Time now) const;

  // --- changes by callers; errors are those of hostq.v1.WebhookService ---
  // `row`: all but when it was made. It is told what happens after `sequence`.
  absl::StatusOr<ChangeSet> Add(storage::v1::Webhook row, int64_t sequence, const Now& now);
  absl::StatusOr<ChangeSet> Delete(absl::string_view name, int& dropped);
  absl::StatusOr<ChangeSet> Pause(absl::string_view name, absl::string_view note,
                                  absl::string_view actor, const Now& now);
  // `skip_to`: no event up to this one becomes a delivery any more; 0: go on where it was.
  absl::StatusOr<ChangeSet> Resume(absl::string_view name, int64_t skip_to);
  absl::StatusOr<ChangeSet> Rotate(absl::string_view name, storage::v1::SigningSecret secret,
                                   absl::Duration keep, const Now& now);
  absl::StatusOr<ChangeSet> Replay(absl::string_view id, const Now& now);
  absl::StatusOr<ChangeSet> ReplayParked(absl::string_view webhook, const Now& now, int& replayed);

  // --- what is to be sent ---
  // From which event on the history is to be looked at; INT64_MAX: nobody takes anything on now.
  int64_t NextSequence(absl::Time now) const;
  // Whether it takes on the event with this sequence: it is behind the last one that was looked at
  // for it.
  bool TakesOn(const storage::v1::Webhook& webhook, int64_t sequence, absl::Time now) const;
  // A delivery that does not exist yet (id, webhook, type, body and traceparent set), due now. No
  // change if there is one with this id.
  void Add(storage::v1::Delivery delivery, const Now& now, ChangeSet& changes);
  // Every event up to this one was looked at for the webhook. Not always stored.
  void Reached(absl::string_view webhook, int64_t sequence, ChangeSet& changes);

  // A delivery that may be tried now, with all that takes.
  struct Due {
    storage::v1::Delivery delivery;
    std::string url;
    // Those that it is signed with.
    std::vector<std::string> secrets;
  };
  // Those of each webhook that has fewer than `max` of them in `busy` (by webhook: ids), the
  // longest due first; of a failing one, one. `next`: when to ask again if nothing changes before.
  using Busy = std::map<std::string, std::set<std::string>>;
  std::vector<Due> TakeDue(absl::Time now, const Busy& busy, size_t max, absl::Time& next) const;
  // A try came to an end. `ok`: taken.
  ChangeSet Attempted(absl::string_view id, bool ok, absl::string_view answer, const Now& now,
                      Random& random);

  // WEBHOOK_FAILING of those that fail for longer than five minutes, or have parked deliveries.
  std::vector<Finding> Findings(absl::Time now) const;

 private:
  // By when it is next tried.
  using Schedule = std::set<std::pair<absl::Time, std::string>>;
  struct Book {
    Schedule pending;
    std::set<std::string> parked;
    std::set<std::pair<absl::Time, std::string>> delivered;  // by when
    // Every event up to this one was looked at. What is stored may be older.
    int64_t position = 0;
  };

  void Put(storage::v1::Webhook row, ChangeSet& changes);
  void Put(storage::v1::Delivery row, ChangeSet& changes);
  void Erase(const std::string& id, ChangeSet& changes);
  void Index(const storage::v1::Delivery& row, bool add);
  absl::StatusOr<storage::v1::Webhook> Take(absl::string_view name) const;
  void Requeue(storage::v1::Delivery row, const Now& now, ChangeSet& changes);

  const Keys& keys_;
  Rows webhooks_;
  absl::flat_hash_map<std::string, storage::v1::Delivery> deliveries_;  // by id
  std::map<std::string, Book, std::less<>> books_;                      // by webhook
};

}  // namespace hostq::manager
