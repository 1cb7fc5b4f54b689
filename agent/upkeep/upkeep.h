#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/journal/journal.h"
#include "agent/upkeep/drift.h"
#include "agent/upkeep/kept.h"
#include "common/base/clock.h"
#include "hostq/agent/v1/session.pb.h"

namespace hostq::agent {

struct UpkeepOptions {
  // FindDrift on the real host. Empty: nothing is looked after.
  std::function<absl::StatusOr<std::vector<Deviation>>(const Kept&)> look;
  // The node's policy: whether what is missing is put back, or only told.
  bool repair = true;
  absl::Duration interval = absl::Seconds(5);
  // Between repairs that fail: doubled each time, from the interval up.
  absl::Duration longest_pause = absl::Minutes(5);
  int repairs_at_once = 8;
  // In which each quota is looked at once, if that is not more often than the second allows: with
  // more than 2,500 accounts it takes longer.
  absl::Duration quota_round = absl::Seconds(50);
  absl::Duration shortest_quota_pause = absl::Milliseconds(20);
  // Between two preflights of the node's own; sooner while a check fails, and after the start.
  absl::Duration preflight_interval = absl::Minutes(5);
  absl::Duration soon = absl::Seconds(30);
};

// Keeps what the node was told to have: looks at the start and every interval, says what to run to
// put it back, and what the manager is to be told. Quotas, which only the executor can see, are
// looked at one after the other, evenly. Now and then the node goes through the preflight that it
// has passed, and tells which checks fail now. Independent of the manager: a node that has been
// rebooted gets its part again while the manager is away. Pure but for `look`. Belongs to one
// thread.
class Upkeep {
 public:
  Upkeep(UpkeepOptions options, Clock& clock);

  // What the journal has.
  void Load(Kept kept);
  const Kept& kept() const { return kept_; }
  // False: what is kept is newer.
  bool Keep(const std::string& key, const KeptItem& item);
  void Drop(const std::string& key);

  enum class Purpose {
    kPutBack,
    kUndo,       // takes away what was put back too late
    kQuotaLook,  // changes nothing: only the step "quota" of it is to be run
    kPreflight,  // answered by OnChecked
  };
  struct Repair {
    std::string key;
    KeptItem item;
    Purpose purpose = Purpose::kPutBack;
  };
  // Looks if it is time, and says what is to be run now; each is answered by OnRepaired.
  // `changing`: what tasks are about to change, of which nothing can be said just now, and which
  // is not put back meanwhile.
  std::vector<Repair> Advance(const std::set<std::string>& changing = {});
  // `failure`: the reason and the message with which the work ended; kNone: it succeeded. Of a look
  // at a quota those of its step; DIFFERS: it is another. Returns what has to be undone: an item
  // that was dropped while it was put back.
  std::optional<Repair> OnRepaired(const Repair& repair, Reason failure,
                                   const std::string& message);
  // What the checks of the node's own preflight found, by their names in Deviation::resource_key;
  // nullopt: it did not get to the end.
  void OnChecked(std::optional<std::vector<Deviation>> failed);
  // Which resources nothing is done to, because a process hangs on them; all of them, each time.
  void SetWedged(std::vector<Deviation> wedged);
  absl::Duration NextWake() const;

  // What the manager has not been told; nothing if it knows everything.
  std::optional<v1::Drift> TakeNews();
  // A manager that knows nothing.
  void TellAgain() { tell_ = static_cast<bool>(options_.look); }

 private:
  struct Open {
    Deviation deviation;
    absl::Duration since;
    int failures = 0;
    absl::Duration next_try;
    bool quota = false;  // not for Look to see
  };
  void Found(const Deviation& deviation, bool quota);
  // Or sooner, if the interval is shorter.
  void PreflightIn(absl::Duration delay);
  void OnQuotaSeen(const Repair& look, Reason seen, const std::string& message);
  std::optional<Repair> NextQuotaLook();
  absl::Duration QuotaPause() const;
  void Look(const std::set<std::string>& changing);
  v1::Deviation ToProto(const Open& open) const;

  const UpkeepOptions options_;
  Clock& clock_;
  Kept kept_;
  absl::Duration next_look_;
  bool look_failed_ = false;
  std::map<std::string, Open> open_;  // by resource key
  std::set<std::string> running_;     // by resource key: one work at a time, also to undo
  std::set<std::string> changing_;    // as Advance was told last
  std::set<std::string> quotas_;      // keys of what has a quota to look at
  std::string last_quota_;            // that was looked at
  absl::Duration next_quota_look_;
  bool quota_look_runs_ = false;
  absl::Duration next_preflight_;
  bool preflight_runs_ = false;
  std::map<std::string, Open> failed_checks_;  // by "check/ID"; nothing can be put back
  std::map<std::string, Open> wedged_;         // by resource key
  std::vector<v1::Deviation> repaired_;        // not told yet
  bool tell_ = false;
};

}  // namespace hostq::agent
