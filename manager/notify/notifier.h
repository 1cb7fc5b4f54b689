#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "manager/cluster/cluster.h"
#include "manager/domain/notices.h"
#include "manager/engine/engine.h"
#include "manager/notify/mailer.h"

namespace hostq::manager {

// Looks at what is stuck every few seconds, and tells webhooks and people when a cause appears and
// when it is gone, by the rules of Notices. One thread.
class Notifier {
 public:
  struct Parts {
    Engine& engine;
    Cluster& cluster;  // on the engine's thread only
    Clock& clock;
    // Everything in which somebody has to act. On the engine's thread.
    std::function<std::vector<Finding>(const Queue&, const Now&)> findings;
    // Webhooks have something new to send.
    std::function<void()> added;
    // The cluster's name, for receivers.
    std::string name;
  };
  // What it looks at, at most this often; less often if looking takes long.
  static constexpr absl::Duration kInterval = absl::Seconds(2);

  // All of `parts` must outlive it. `told`: what was stored. `mailer`: null: no mails.
  Notifier(const Parts& parts, Notices::Rules rules, std::vector<Notice> told,
           std::unique_ptr<Mailer> mailer);
  ~Notifier();
  // Waits for a mail that is under way. May be called twice.
  void Stop();

 private:
  struct Answer;

  void Loop();
  // False: the engine does not answer any more.
  bool Look();
  void SendMail();
  bool Store(const std::set<std::string>& changed, std::vector<Notice> raised,
             std::vector<Notice> cleared);
  // For an answer of the engine; false: it was stopped before.
  bool Wait(Answer& answer);
  // Until it was stopped.
  void Sleep(absl::Duration span);

  const Parts parts_;
  const std::unique_ptr<Mailer> mailer_;
  // Of its thread only.
  Notices notices_;
  absl::Duration look_took_;
  absl::Time mail_again_ = absl::InfinitePast();
  absl::Time mail_failing_ = absl::InfiniteFuture();

  Mutex mutex_;
  CondVar wake_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace hostq::manager
