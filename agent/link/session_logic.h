#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "agent/executor/planner.h"
#include "agent/journal/journal.h"
#include "agent/link/agent_counts.h"
#include "agent/runner/task_runner.h"
#include "agent/upkeep/upkeep.h"
#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "common/base/random.h"
#include "hostq/agent/v1/executor.pb.h"
#include "hostq/agent/v1/session.pb.h"

namespace hostq::agent {

struct SessionOptions {
  std::string agent_version;
  std::vector<std::string> kinds;
  // Tasks taken at once, and run at once.
  int credits = 8;
  std::string boot_id;
  std::string process_id;
  // Pins of the authorities that the node trusts.
  std::vector<std::string> trusts;
  // Between attempts to connect: at most 10 s, so that a network that works again is used soon.
  BackoffPolicy reconnect{absl::Milliseconds(200), absl::Seconds(10), 2, 0.1};
  // After the manager has said that this node may not connect: asking sooner would only make noise.
  absl::Duration refused_delay = absl::Seconds(30);
  // After it has said that only an administrator can change that (NODE_BANNED and the like).
  absl::Duration banned_delay = absl::Minutes(2);
  // After another agent has taken this one's place. If that is a copy of this machine, coming back
  // tells the manager.
  absl::Duration replaced_delay = absl::Seconds(3);
  // From connecting to Welcome.
  absl::Duration welcome_timeout = absl::Seconds(15);
  // Until a Welcome tells otherwise.
  absl::Duration heartbeat_interval = absl::Seconds(10);
  // Between tries to write a journal that failed.
  absl::Duration journal_retry = absl::Seconds(1);
  UpkeepOptions upkeep;
};

// What has to be done, in this order, after everything that justifies it is durable.
struct Effects {
  bool close = false;               // the current connection, if any
  std::optional<uint64_t> connect;  // open a connection with this number
  std::vector<v1::AgentMessage> messages;
  std::vector<v1::RunStep> steps;
  // What the manager tells of its authorities: to be made durable, then OnIdentity.
  std::optional<v1::Trust> trust;
  // The manager does not take the node's certificate.
  bool certificate_refused = false;
};

// Everything an agent decides: its side of the session, acceptance, the outbox. Messages, reports
// and time come in; Flush makes what follows from them durable and tells what to do. Pure apart
// from the journal: no network, threads, or clock of its own, so that a simulation can run it.
// Belongs to one thread.
class SessionLogic {
 public:
  // The references must outlive it.
  SessionLogic(SessionOptions options, StepPlanner planner, Journal& journal, Clock& clock,
               Random& random);
  SessionLogic(const SessionLogic&) = delete;
  SessionLogic& operator=(const SessionLogic&) = delete;

  // Reads the journal; first, once. Tasks from before wait for the first Welcome: the manager may
  // not want them any more. Errors: the journal's.
  absl::Status Start();

  // The connection numbered by Effects::connect. What comes from an older one is ignored.
  void OnMessage(uint64_t connection, const v1::ManagerMessage& message);
  void OnClosed(uint64_t connection, const absl::Status& status);

  // What the node shows or trusts is durable. `renewed`: it has another certificate, and connects
  // with that at once.
  void OnIdentity(std::vector<std::string> trusts, bool renewed);

  void OnExecutorReady() { runner_.OnExecutorReady(); }
  void OnExecutorLost();
  void OnExecutorReport(const v1::ExecutorReport& report);

  // No new task, no new step. What was accepted stays in the journal for the next process.
  void Stop();
  // No step runs.
  bool Quiet() const { return runner_.running_steps() == 0; }

  // Lets time and what came in take effect. Blocks on the journal.
  Effects Flush();
  // When Flush has to be called again although nothing came in (Clock::Monotonic).
  absl::Duration NextWake() const;

  // For logs and tests.
  bool welcomed() const { return phase_ == Phase::kReady; }
  size_t in_flight() const { return in_flight_.size(); }
  size_t outbox() const { return outbox_.size(); }

 private:
  enum class Phase { kDisconnected, kAwaitingWelcome, kReady };
  struct Stored {
    Lease lease;
    std::string result;
    absl::Duration since;  // when it began to wait, here
  };

  // --- the session ---
  void Connect();
  void Disconnect(absl::Duration delay);
  void RunTimers();
  v1::AgentMessage MakeHello() const;
  v1::AgentMessage MakeHeartbeat() const;
  void OnWelcome(const v1::Welcome& welcome);
  void OnAssign(const v1::Assign& assign);
  void OnResultAck(const v1::ResultAck& ack);
  void OnCancel(const v1::Cancel& cancel);
  // Unless the manager knows, or there is no session: then the next welcome, or hello, does it.
  void TellTrusts();
  // Dropped unless the session is ready.
  void Send(v1::AgentMessage message);
  void Refuse(const Lease& lease, Reason reason, absl::string_view message);
  void SendResult(const Stored& stored);

  // --- the tasks ---
  // Why it cannot be run here; OK with its steps otherwise.
  absl::StatusOr<std::vector<StepPlan>> Plan(const Assignment& assignment) const;
  absl::StatusOr<std::vector<StepPlan>> PlanWork(const Assignment& assignment) const;
  void FinishUnstarted(const Lease& lease, bool begun_before, absl::string_view message);
  // Takes over what the runner wants done.
  void CollectRunner();
  // What the node keeps.
  void RunRepair(const Upkeep::Repair& repair);
  // With its span.
  void LogEnded(const Assignment& assignment, const v1::Result& result) const;
  void OnOwnFinished(const Assignment& assignment, const v1::Result& result);
  std::set<std::string> Changing() const;
  void TellDrift();
  void Accept(const Assignment& assignment);
  // It has succeeded.
  void Keep(const Assignment& assignment);
  bool CommitPending();
  void CommitFailed(const absl::Status& status);
  void ApplyAnswer(const Assignment& assignment, bool started, AcceptAnswer answer);
  // The effects of what is durable now.
  void ReleasePending(std::vector<JournalBatch::Finished> finished);

  const SessionOptions options_;
  const StepPlanner planner_;
  Journal& journal_;
  Clock& clock_;
  Random& random_;
  TaskRunner runner_;
  AgentCounts counts_;
  Upkeep upkeep_;
  std::map<std::string, Upkeep::Repair> repairs_;  // that run, by task

  Phase phase_ = Phase::kDisconnected;
  uint64_t connection_ = 0;
  int failures_ = 0;  // to reach a Welcome, in a row
  absl::Duration next_connect_;
  absl::Duration welcome_deadline_;
  absl::Duration heartbeat_interval_;
  absl::Duration next_heartbeat_;
  absl::Duration last_heard_;
  bool stopping_ = false;
  std::vector<std::string> trusts_;
  std::vector<std::string> told_trusts_;  // on the connection that there is

  struct InFlight {
    Lease lease;
    uint64_t order = 0;  // of acceptance
    std::string resource_key;
    std::vector<std::string> takes_away;
    // Of what the node keeps, other than what its resource key says.
    std::set<std::string> changes;
  };
  std::map<std::string, InFlight, std::less<>> in_flight_;  // by task
  uint64_t accepted_ = 0;
  std::map<std::string, Stored, std::less<>> outbox_;  // by task; durable
  uint64_t max_epoch_ = 0;

  std::vector<Assignment> assigned_;  // checked, not yet in the journal
  JournalBatch pending_;              // kept until it is durable; without accepts
  TaskRunner::Output held_;           // what `pending_` justifies: steps and progress
  absl::Duration journal_retry_at_;
  bool journal_failed_ = false;
  absl::Duration next_prune_;

  Effects effects_;
};

}  // namespace hostq::agent
