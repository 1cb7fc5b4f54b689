#include "network.h"

#include <utility>

namespace hostq::simulation {

uint64_t Network::Open(int node) {
  const uint64_t id = ++last_stream_;
  Stream& stream = streams_[id];
  stream.node = node;
  stream.dice = dice_.Split();
  Send(id, true, [this, id, node] {
    Stream& opened = streams_.at(id);
    opened.manager_open = manager_->OnOpened(id, node);
    if (opened.manager_open) return;
    Send(id, false, [this, id] { EndForAgent(id, absl::UnavailableError("nobody listens")); });
  });
  return id;
}

void Network::Send(uint64_t id, bool up, Delivery delivery) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  Direction& direction = up ? found->second.up : found->second.down;
  if (direction.dead) return;
  const absl::Duration arrival =
      std::max(direction.last, simulator_.now() + absl::Microseconds(50) +
                                   found->second.dice.LongTail(absl::Milliseconds(1)));
  direction.last = arrival;
  simulator_.After(arrival - simulator_.now(),
                   [this, id, up, delivery = std::move(delivery)] { Deliver(id, up, delivery); });
}

void Network::Deliver(uint64_t id, bool up, const Delivery& delivery) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  Direction& direction = up ? found->second.up : found->second.down;
  if (direction.dead) return;
  if (nodes_[found->second.node].cut || !direction.held.empty()) {
    direction.held.push_back(delivery);
    return;
  }
  delivery();
}

void Network::SendUp(uint64_t id, agent::v1::AgentMessage message) {
  auto shared = std::make_shared<agent::v1::AgentMessage>(std::move(message));
  Send(id, true, [this, id, shared] {
    if (streams_.at(id).manager_open) manager_->OnMessage(id, *shared);
  });
}

void Network::SendDown(uint64_t id, agent::v1::ManagerMessage message) {
  auto shared = std::make_shared<agent::v1::ManagerMessage>(std::move(message));
  Send(id, false, [this, id, shared] {
    const Stream& stream = streams_.at(id);
    if (stream.agent_open) nodes_[stream.node].agent->OnMessage(id, *shared);
  });
}

void Network::CloseByAgent(uint64_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  found->second.agent_open = false;
  Send(id, true, [this, id] { EndForManager(id); });
  Forget(id);
}

void Network::CloseByManager(uint64_t id, const absl::Status& status) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  found->second.manager_open = false;
  Send(id, false, [this, id, status] { EndForAgent(id, status); });
  Forget(id);
}

void Network::EndForAgent(uint64_t id, const absl::Status& status) {
  Stream& stream = streams_.at(id);
  const bool told = std::exchange(stream.agent_open, false);
  AgentSide* agent = nodes_[stream.node].agent;
  Forget(id);
  if (told) agent->OnClosed(id, status);
}

void Network::EndForManager(uint64_t id) {
  const bool told = std::exchange(streams_.at(id).manager_open, false);
  Forget(id);
  if (told) manager_->OnClosed(id);
}

void Network::Forget(uint64_t id) {
  const Stream& stream = streams_.at(id);
  if (!stream.agent_open && !stream.manager_open) streams_.erase(id);
}

void Network::BreakStream(uint64_t id) {
  Stream& stream = streams_.at(id);
  // What is on the way may still arrive, in one of the directions.
  const int lost = dice_.Roll(3);
  stream.up.dead = lost != 0;
  stream.down.dead = lost != 1;
  const auto later = [&](std::function<void()> learn) {
    if (dice_.Chance(0.2)) return;  // half-open: it never learns
    simulator_.After(dice_.LongTail(absl::Milliseconds(20)), std::move(learn));
  };
  later([this, id] {
    if (const auto found = streams_.find(id); found != streams_.end()) {
      found->second.down.dead = true;
      EndForAgent(id, absl::UnavailableError("connection reset"));
    }
  });
  later([this, id] {
    if (const auto found = streams_.find(id); found != streams_.end()) {
      found->second.up.dead = true;
      EndForManager(id);
    }
  });
}

void Network::Break(int node) {
  std::vector<uint64_t> ids;
  for (const auto& [id, stream] : streams_) {
    if (stream.node == node) ids.push_back(id);
  }
  for (const uint64_t id : ids) BreakStream(id);
}

void Network::LoseAgent(int node) {
  std::vector<uint64_t> ids;
  for (auto& [id, stream] : streams_) {
    if (stream.node != node) continue;
    stream.agent_open = false;
    ids.push_back(id);
  }
  for (const uint64_t id : ids) BreakStream(id);
}

void Network::LoseManager() {
  std::vector<uint64_t> ids;
  for (auto& [id, stream] : streams_) {
    if (!stream.manager_open) continue;
    stream.manager_open = false;
    ids.push_back(id);
  }
  for (const uint64_t id : ids) BreakStream(id);
}

void Network::Partition(int node, bool cut) {
  nodes_[node].cut = cut;
  if (cut) return;
  std::vector<uint64_t> ids;
  for (const auto& [id, stream] : streams_) {
    if (stream.node == node) ids.push_back(id);
  }
  for (const uint64_t id : ids) {
    for (const bool up : {true, false}) Release(id, up);
  }
}

// What comes meanwhile queues up behind.
void Network::Release(uint64_t id, bool up) {
  for (auto found = streams_.find(id); found != streams_.end(); found = streams_.find(id)) {
    Direction& direction = up ? found->second.up : found->second.down;
    if (direction.held.empty() || direction.dead) return;
    const Delivery delivery = std::move(direction.held.front());
    direction.held.pop_front();
    delivery();
  }
}

void Network::Heal() {
  for (size_t node = 0; node < nodes_.size(); ++node) Partition(static_cast<int>(node), false);
}

}  // namespace hostq::simulation
