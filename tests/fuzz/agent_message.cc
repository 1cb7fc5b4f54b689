// What an agent may send: bytes of AgentMessage, through the session's conversions, into the real
// engine and cluster over a store in memory. Whatever a node says, the store takes every commit,
// what is kept can be shown, and every unfinished task has a finding.
//
// The input is a list of records: what happens (Act), and a chunk. See seeds.cc.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "hostq/agent/v1/session.pb.h"
#include "input.h"
#include "manager/cluster/cluster.h"
#include "manager/domain/findings.h"
#include "manager/session/convert.h"
#include "manager/session/receive.h"
#include "records.h"
#include "tests/testing/memory_store.h"

namespace hostq::manager {
namespace {

using agent::v1::AgentMessage;

class FakeSession final : public AgentSession {
 public:
  explicit FakeSession(std::vector<Lease>& leases) : leases_(leases) {}
  void Assign(const SendAssign& assign) override {
    agent::v1::Assign sent;
    HOSTQ_CHECK(sent.ParseFromString(ToProto(assign).SerializeAsString()));
    leases_.push_back(assign.lease);
  }
  void Acknowledge(const Lease&) override {}
  void Cancel(const Lease&) override {}
  void Close(const absl::Status&) override { closed = true; }
  void Flush() override {}
  bool closed = false;

 private:
  std::vector<Lease>& leases_;
};

// A cluster with one node and a few commands for it.
class World {
 public:
  World() { Start(); }

  void Do(fuzz::Act act, uint8_t which, absl::string_view chunk) {
    switch (act) {
      case fuzz::Act::kMessage:
      case fuzz::Act::kMessageOfLease:
        Message(act == fuzz::Act::kMessageOfLease, which, chunk);
        break;
      case fuzz::Act::kTime:
        clock_.Advance(absl::Milliseconds(1 << which % 20));
        break;
      case fuzz::Act::kDisconnect:
        Disconnect();
        break;
      case fuzz::Act::kRestart:
        Start();
        break;
      default:
        Administer(which);
    }
    engine_->RunOnce();
    if (session_ != nullptr && session_->closed) session_ = nullptr;
    Check();
  }

 private:
  void Start() {
    session_ = nullptr;
    engine_.reset();
    Snapshot snapshot = *store_.Load();
    cluster_ = *Cluster::Load({"test", "10.0.0.1"}, snapshot.resources);
    engine_ = std::make_unique<Engine>(store_, *cluster_, clock_, random_, Engine::Options());
    HOSTQ_CHECK(engine_->Start(std::move(snapshot), cluster_->NodeStates()).ok());
    if (cluster_->nodes().empty()) Fill();
  }

  void Fill() {
    engine_->Change(
        [this](const Now& now) -> absl::StatusOr<ChangeSet> {
          v1::CreateNodeRequest request;
          request.set_name("web1");
          request.set_address("10.0.0.2");
          request.add_roles(v1::Node::APP);
          storage::v1::Token token;
          token.set_id("abcdefghij");
          token.set_node("web1");
          token.set_secret_hash(std::string(64, '0'));
          token.mutable_expire_time()->set_seconds(2'000'000'000);
          HOSTQ_ASSIGN_OR_RETURN(ChangeSet all, cluster_->AddNode(request, token, "x", now));
          HOSTQ_ASSIGN_OR_RETURN(ChangeSet bound,
                                 cluster_->BindToken("abcdefghij", "sha256:0", now));
          HOSTQ_ASSIGN_OR_RETURN(
              ChangeSet joined,
              cluster_->NodeJoined({"web1", 1, "00", now.wall, absl::FromUnixSeconds(4102444800)},
                                   now));
          for (ChangeSet* more : {&bound, &joined}) {
            for (ResourceChange& row : more->resources) all.resources.push_back(std::move(row));
            for (NodeState& node : more->nodes) all.nodes.push_back(std::move(node));
          }
          return all;
        },
        "x", [](const absl::Status& status) { HOSTQ_CHECK(status.ok()); });
    engine_->RunOnce();
    for (const char* address : {"203.0.113.10", "203.0.113.11"}) {
      Submission submission;
      submission.origin = "x";
      submission.plan = [this, address](const Now& now) {
        v1::CommandSpec spec;
        spec.mutable_bind_address()->set_address(address);
        return cluster_->Plan(spec, {}, now);
      };
      engine_->Submit(std::move(submission),
                      [](const absl::StatusOr<Submitted>& done) { HOSTQ_CHECK(done.ok()); });
    }
    engine_->RunOnce();
  }

  void Message(bool of_lease, uint8_t which, absl::string_view chunk) {
    AgentMessage message;
    if (!message.ParseFromArray(chunk.data(), static_cast<int>(chunk.size()))) return;
    if (of_lease && !leases_.empty()) {
      fuzz::SetLease(message, ToProto(leases_[leases_.size() - 1 - which % leases_.size()]));
    }
    if (session_ == nullptr) {
      if (message.has_hello()) Connect(message.hello());
      return;
    }
    const absl::Status status = Receive(message, "web1", number_, clock_.Now(), *engine_);
    fuzz::CheckText(status.message());
    if (!status.ok()) Disconnect();
  }

  void Connect(const agent::v1::Hello& hello) {
    const absl::StatusOr<HelloFacts> facts = FromProto(hello, "web1", clock_.Now());
    if (!facts.ok()) return fuzz::CheckText(facts.status().message());
    session_ = std::make_shared<FakeSession>(leases_);
    engine_->Connect(*facts, session_, [this](const absl::StatusOr<Welcomed>& welcomed) {
      if (welcomed.ok()) number_ = welcomed->session;
      if (!welcomed.ok()) session_ = nullptr;
    });
  }

  void Disconnect() {
    if (session_ != nullptr) engine_->Disconnect("web1", number_);
    session_ = nullptr;
  }

  void Administer(uint8_t which) {
    const auto done = [](const absl::StatusOr<Command>&) {};
    if (leases_.empty()) return;
    const CommandId id = leases_[which / 4 % leases_.size()].command;
    if (which % 4 == 0) engine_->Cancel(id, "x", done);
    if (which % 4 == 1) engine_->Skip(id, "", "x", "no", done);
    if (which % 4 >= 2) engine_->Retry(id, "", "x", done);
  }

  void Check() {
    HOSTQ_CHECK(engine_->failed().ok());
    for (; events_ < database_.events.size(); ++events_) {
      fuzz::CheckText(database_.events[events_].message);
    }
    for (const auto& [key, attempt] : database_.attempts) {
      v1::Attempt steps;
      HOSTQ_CHECK(steps.ParseFromString(attempt.steps));
      fuzz::CheckText(attempt.message);
    }
    engine_->Read([](const Queue& queue, const Now& now) {
      const NodeState& node = *queue.FindNode("web1");
      fuzz::CheckText(node.agent_version);
      for (const std::string& kind : node.kinds) fuzz::CheckText(kind);
      HOSTQ_CHECK(node.in_flight >= 0 && queue.term() < uint64_t{1} << 31);
      for (const Finding& finding : ExplainAll(queue, now, true)) {
        fuzz::CheckText(finding.summary);
        for (const auto& [name, value] : finding.evidence) fuzz::CheckText(name + value);
      }
      for (const Finding& finding : ExplainNodes(queue, now)) fuzz::CheckText(finding.summary);
    });
    engine_->RunOnce();
  }

  FakeClock clock_{absl::FromUnixSeconds(1'800'000'000)};
  SeededRandom random_{1};
  MemoryDatabase database_;
  MemoryStore store_{database_};
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Engine> engine_;
  std::shared_ptr<FakeSession> session_;
  uint64_t number_ = 0;        // of the session
  std::vector<Lease> leases_;  // that were sent
  size_t events_ = 0;          // looked at
};

}  // namespace
}  // namespace hostq::manager

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  hostq::manager::World world;
  hostq::fuzz::ForEachRecord(data, size, [&](auto... record) { world.Do(record...); });
  return 0;
}
