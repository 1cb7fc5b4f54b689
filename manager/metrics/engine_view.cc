#include "manager/metrics/engine_view.h"

#include <chrono>
#include <optional>
#include <utility>

#include "common/base/mutex.h"
#include "hostq/v1/node.pb.h"
#include "manager/domain/findings.h"

namespace hostq::manager {
namespace {

// Of Census: so many take the engine some milliseconds.
constexpr size_t kPiece = 10'000;

v1::Node::State StateOf(const NodeState& node) {
  if (node.draining) return v1::Node::DRAINING;
  if (node.banned) return v1::Node::BANNED;
  if (!node.joined) return v1::Node::PENDING;
  if (node.paused) return v1::Node::PAUSED;
  if (!node.connected()) return v1::Node::OFFLINE;
  return node.admitted ? v1::Node::READY : v1::Node::PREFLIGHT;
}

std::map<std::string, uint64_t> AllStates() {
  std::map<std::string, uint64_t> states;
  const auto& values = *v1::Node::State_descriptor();
  for (int i = 0; i < values.value_count(); ++i) {
    if (values.value(i)->number() != 0) states[values.value(i)->name()] = 0;
  }
  return states;
}

void TakeNodes(const Queue& queue, const Now& now, EngineSnapshot& out) {
  std::map<std::string, std::map<Reason, uint64_t>> findings;
  for (const Finding& finding : ExplainNodes(queue, now)) {
    ++(finding.node.empty() ? out.manager_findings : findings[finding.node])[finding.reason];
  }
  out.node_states = AllStates();
  for (const auto& [name, node] : queue.nodes()) {
    ++out.node_states[v1::Node::State_Name(StateOf(node))];
    out.sessions += node.connected() ? 1 : 0;
    if (out.nodes.size() == EngineSnapshot::kMaxNodes) continue;
    EngineSnapshot::Node& shown = out.nodes.emplace_back();
    shown.name = name;
    shown.connected = node.connected();
    shown.agent_version = node.agent_version;
    shown.credits = node.connected() ? node.credits : 0;
    shown.in_flight = node.in_flight;
    shown.outbox = node.outbox;
    shown.deviations = node.deviation_count;
    if (node.clock_skew.known()) shown.clock_skew = node.clock_skew.estimate();
    shown.certificate_expire_time = node.certificate_expire_time;
    if (const auto of = findings.find(name); of != findings.end()) shown.findings = of->second;
  }
}

// Outlives whoever waits: a piece that comes too late finds it still.
struct Piece {
  Mutex mutex;
  CondVar taken;
  bool done ABSL_GUARDED_BY(mutex) = false;
  EngineSnapshot snapshot;
  std::optional<CommandId> from = 0;
};

}  // namespace

std::shared_ptr<const EngineSnapshot> EngineView::Get(absl::Duration fresh,
                                                      absl::Duration patience) {
  if (last_ != nullptr && age() < fresh) return last_;
  const absl::Duration end = clock_.Monotonic() + patience;
  auto piece = std::make_shared<Piece>();
  while (piece->from) {
    {
      const MutexLock lock(piece->mutex);
      piece->done = false;
    }
    engine_.Read([piece, this](const Queue& queue, const Now& now) {
      EngineSnapshot& out = piece->snapshot;
      piece->from = Count(queue, *piece->from, kPiece, now, out.census);
      if (!piece->from) {
        out.now = now;
        out.queue = queue.stats();
        out.engine = engine_.stats();
        out.sweep_lag = queue.lateness(now);
        out.pauses = queue.pauses().size();
        out.accounts = cluster_.accounts().size();
        for (const auto& [subject, alarm] : cluster_.alarms()) {
          ++out.alarms[static_cast<Reason>(alarm.reason())];
        }
        TakeNodes(queue, now, out);
      }
      const MutexLock lock(piece->mutex);
      piece->done = true;
      piece->taken.NotifyAll();
    });
    const MutexLock lock(piece->mutex);
    while (!piece->done) {
      const absl::Duration left = end - clock_.Monotonic();
      if (left <= absl::ZeroDuration()) return last_;
      piece->taken.WaitFor(piece->mutex, absl::ToChronoMicroseconds(left));
    }
  }
  last_ = std::shared_ptr<const EngineSnapshot>(piece, &piece->snapshot);
  return last_;
}

absl::Duration EngineView::age() const {
  return clock_.Monotonic() - (last_ == nullptr ? begin_ : last_->now.monotonic);
}

}  // namespace hostq::manager
