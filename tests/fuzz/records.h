#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "hostq/agent/v1/session.pb.h"
#include "input.h"

// How a session's input is made of bytes: records of what happens, a number, and a chunk.
namespace hostq::fuzz {

enum class Act : uint8_t {
  kMessage,         // the chunk is a message of the other side
  kMessageOfLease,  // the same, with one of the leases that are known put into it
  kTime,            // passes
  kDisconnect,
  kRestart,
  kOther,  // of an administrator, or of the executor
};

// Calls `f(act, number, chunk)`; an input of more than 64 records says nothing more.
template <typename F>
void ForEachRecord(const uint8_t* data, size_t size, F f) {
  Input input(data, size);
  for (int i = 0; i < 64 && !input.empty(); ++i) {
    const auto act = static_cast<Act>(input.Byte() % 6);
    const uint8_t number = input.Byte();
    f(act, number, input.Chunk());
  }
}

inline void SetLease(agent::v1::AgentMessage& message, const agent::v1::Lease& lease) {
  if (message.has_accepted()) *message.mutable_accepted()->mutable_lease() = lease;
  if (message.has_refused()) *message.mutable_refused()->mutable_lease() = lease;
  if (message.has_progress()) *message.mutable_progress()->mutable_lease() = lease;
  if (message.has_result()) *message.mutable_result()->mutable_lease() = lease;
  if (!message.has_hello()) return;
  for (auto& task : *message.mutable_hello()->mutable_in_flight()) *task.mutable_lease() = lease;
  for (auto& result : *message.mutable_hello()->mutable_outbox()) result = lease;
}

}  // namespace hostq::fuzz
