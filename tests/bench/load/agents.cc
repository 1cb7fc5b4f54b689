#include "agents.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/actions/action.h"
#include "agent/journal/sqlite_journal.h"
#include "agent/link/grpc_transport.h"
#include "agent/link/mailbox.h"
#include "agent/link/session_logic.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/random.h"
#include "common/crypto/certificate.h"
#include "hostq/agent/v1/work.pb.h"

namespace hostq::bench {

struct Agents::Node {
  Node(const std::string& name, const Pki& pki, const Options& options)
      : identity(pki.NodeIdentity(name, options.manager)),
        journal(*agent::SqliteJournal::Open(absl::StrCat(options.journals, "/", name, ".db"))),
        random(RandomSeed()),
        logic(
            SessionOptionsOf(options, identity),
            [](const agent::v1::Work& work, const agent::Roles& roles) {
              return agent::PlanSteps(work, roles, {});
            },
            *journal, SystemClock(), random),
        transport(identity,
                  [this](agent::TransportEvent event) { mailbox.Post(std::move(event)); }) {
    HOSTQ_CHECK(logic.Start().ok());
    logic.OnExecutorReady();
  }

  static agent::SessionOptions SessionOptionsOf(const Options& options,
                                                const agent::Identity& identity) {
    agent::SessionOptions session;
    session.agent_version = HOSTQ_VERSION;
    session.kinds = agent::SupportedKinds();
    session.credits = options.credits;
    session.boot_id = "bench";
    session.process_id = absl::StrCat(absl::Hex(RandomSeed(), absl::kZeroPad16));
    session.trusts = PinsOf(identity.ca_pem);
    session.upkeep.preflight_interval = absl::Hours(24);
    return session;
  }

  const agent::Identity identity;
  const std::unique_ptr<agent::SqliteJournal> journal;
  SeededRandom random;
  agent::SessionLogic logic;
  agent::Mailbox mailbox;
  agent::GrpcTransport transport;  // before the mailbox it posts to is gone
  bool begun = false;
  bool welcome = false;
};

// A thread with its share of the nodes.
class Agents::Worker {
 public:
  explicit Worker(Agents& all) : all_(all), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    HOSTQ_CHECK(epoll_ >= 0);
  }
  ~Worker() { close(epoll_); }

  void Add(std::unique_ptr<Node> node) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = node.get();
    HOSTQ_CHECK(epoll_ctl(epoll_, EPOLL_CTL_ADD, node->mailbox.fd(), &event) == 0);
    nodes_.push_back(std::move(node));
  }
  void Start() {
    thread_ = std::thread([this] { Loop(); });
  }
  void Stop() {
    stopping_ = true;
    thread_.join();
  }
  void TakeLatencies(Latencies& out) {
    const MutexLock lock(mutex_);
    out.Merge(latencies_);
    latencies_ = {};
  }

 private:
  void Loop() {
    absl::Duration next_timers = SystemClock().Monotonic();
    size_t next_begin = 0;
    std::vector<epoll_event> events(256);
    while (!stopping_) {
      while (next_begin < nodes_.size() && all_.connecting_ < all_.options_.connecting) {
        ++all_.connecting_;
        nodes_[next_begin]->begun = true;
        Step(*nodes_[next_begin++]);
      }
      const int wait = next_begin < nodes_.size() ? 1 : 100;
      const int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait);
      for (int i = 0; i < ready; ++i) Step(*static_cast<Node*>(events[i].data.ptr));
      // Timers of agents are of seconds.
      const absl::Duration now = SystemClock().Monotonic();
      if (now < next_timers) continue;
      next_timers = now + absl::Milliseconds(200);
      for (const auto& node : nodes_) {
        if (node->begun && node->logic.NextWake() <= now) Step(*node);
      }
    }
    for (const auto& node : nodes_) node->transport.Close();
  }

  void Step(Node& node) {
    for (agent::TransportEvent& event : node.mailbox.Take()) {
      if (const auto* message = std::get_if<agent::v1::ManagerMessage>(&event.what)) {
        if (message->has_result_ack()) {
          all_.done_ += static_cast<uint64_t>(message->result_ack().leases_size());
        }
        node.logic.OnMessage(event.connection, *message);
      } else if (const auto* ended = std::get_if<absl::Status>(&event.what)) {
        node.logic.OnClosed(event.connection, *ended);
      }
    }
    // Until nothing more is to be run.
    for (bool again = true; again;) {
      agent::Effects effects = node.logic.Flush();
      if (effects.close) node.transport.Close();
      if (effects.connect) node.transport.Open(*effects.connect);
      for (agent::v1::AgentMessage& message : effects.messages) {
        node.transport.Send(std::move(message));
      }
      for (const agent::v1::RunStep& step : effects.steps) Run(node, step);
      again = !effects.steps.empty();
    }
    if (node.welcome != node.logic.welcomed()) {
      node.welcome = !node.welcome;
      node.welcome ? ++all_.welcome_ : --all_.welcome_;
      if (node.welcome && all_.connecting_ > 0) --all_.connecting_;
    }
  }

  void Run(Node& node, const agent::v1::RunStep& step) {
    if (all_.recording && step.step_name() == "ping") {
      agent::v1::Work work;
      if (work.ParseFromString(step.work())) {
        const int64_t stamp = StampOf(work.ping().payload());
        const MutexLock lock(mutex_);
        if (stamp != 0) latencies_.Add(Nanos() - stamp);
      }
    }
    agent::v1::ExecutorReport report;
    agent::v1::StepDone& done = *report.mutable_step_done();
    done.set_id(step.id());
    done.mutable_result()->set_name(step.step_name());
    done.mutable_result()->set_message("done");
    node.logic.OnExecutorReport(report);
  }

  Agents& all_;
  const int epoll_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::atomic<bool> stopping_ = false;
  Mutex mutex_;
  Latencies latencies_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

Agents::Agents(const Pki& pki, Options options) : options_(std::move(options)) {
  std::filesystem::create_directories(options_.journals);
  for (int i = 0; i < options_.threads; ++i) workers_.push_back(std::make_unique<Worker>(*this));
  for (size_t i = 0; i < options_.nodes.size(); ++i) {
    workers_[i % workers_.size()]->Add(std::make_unique<Node>(options_.nodes[i], pki, options_));
  }
}

Agents::~Agents() = default;

void Agents::Start() {
  for (const auto& worker : workers_) worker->Start();
  while (welcome_ < options_.nodes.size()) absl::SleepFor(absl::Milliseconds(1));
}

void Agents::Stop() {
  for (const auto& worker : workers_) worker->Stop();
}

Latencies Agents::TakeStartLatencies() {
  Latencies all;
  for (const auto& worker : workers_) worker->TakeLatencies(all);
  return all;
}

}  // namespace hostq::bench
