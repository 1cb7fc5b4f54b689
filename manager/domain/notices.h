#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "manager/domain/causes.h"

namespace hostq::manager {

// Who is told of stuck work, and when: rules, without I/O and without reading a clock.

// A cause that somebody was told of, or is to be.
struct Notice {
  Cause cause;
  absl::Time raise_time;
  absl::Time clear_time = absl::InfiniteFuture();  // InfiniteFuture: it is there
  // A mail is to tell that it is there, that it is gone.
  bool mail_raised = false;
  bool mail_cleared = false;

  bool cleared() const { return clear_time != absl::InfiniteFuture(); }
  bool operator==(const Notice&) const = default;
};

// One text for everything that is to be told now.
struct Mail {
  std::string subject;
  std::string body;
  // What it tells: Notices::Mailed.
  std::vector<std::string> raised;
  std::vector<std::string> cleared;
};

// Not thread-safe.
class Notices {
 public:
  struct Rules {
    // Whether mails are wanted at all.
    bool mail = false;
    // So long a cause must be there, or be gone, before anybody is told.
    absl::Duration settle = absl::Seconds(30);
    // No mail from `quiet_start` to `quiet_end`, both since midnight in `zone`; over midnight if
    // the end is the earlier one. Equal: no quiet hours.
    absl::Duration quiet_start, quiet_end;
    absl::TimeZone zone = absl::UTCTimeZone();
    // Reasons of which a mail is sent in quiet hours too.
    std::set<Reason> urgent;
    // Mails; what comes above it is in the next one.
    int mails_per_hour = 10;
    std::string cluster;
  };

  explicit Notices(Rules rules) : rules_(std::move(rules)) {}

  // What was stored. Only before the first Observe.
  void Load(Notice notice);

  // What there is now. `raised` and `cleared`: what somebody is to be told. `changed`: keys of what
  // is to be stored; those that are not in notices() any more are to be deleted.
  struct Observed {
    std::vector<Notice> raised;
    std::vector<Notice> cleared;
    std::set<std::string> changed;
  };
  Observed Observe(const std::vector<Cause>& causes, absl::Time now);

  // Nothing: there is nothing to tell, or not now.
  std::optional<Mail> DueMail(absl::Time now) const;
  // It was sent. What changed, as above.
  std::set<std::string> Mailed(const Mail& mail, absl::Time now);

  // By the cause's id.
  const std::map<std::string, Notice>& notices() const { return notices_; }
  bool IsQuiet(absl::Time now) const;

 private:
  void Forget(const std::string& key);

  const Rules rules_;
  std::map<std::string, Notice> notices_;
  // Causes that are there and are no notices yet, and notices that are not there: since when.
  std::map<std::string, absl::Time> appeared_;
  std::map<std::string, absl::Time> vanished_;
  // Of the last hour.
  std::vector<absl::Time> mails_;
};

}  // namespace hostq::manager
