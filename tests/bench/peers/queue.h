#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace hostq::bench {

// What a peer is asked for: a durable queue on loopback, as its own documents say how to have one.

struct Job {
  uint64_t id = 0;   // as the peer numbers it
  std::string name;  // or names it
  std::string payload;
};

// A connection that submits; the call returns when the peer has said that the jobs are durable.
class Producer {
 public:
  virtual ~Producer() = default;
  // `count` jobs with this payload, pipelined if the peer can.
  virtual void Submit(const std::string& payload, int count) = 0;
};

// A connection that works; Done returns when the peer has said so.
class Consumer {
 public:
  virtual ~Consumer() = default;
  // Up to `count` jobs; none: nothing came within a second.
  virtual std::vector<Job> Take(int count) = 0;
  virtual void Done(const std::vector<Job>& jobs) = 0;
};

class Queue {
 public:
  virtual ~Queue() = default;
  virtual std::unique_ptr<Producer> MakeProducer() = 0;
  virtual std::unique_ptr<Consumer> MakeConsumer() = 0;
};

// `batch`: jobs of one Take; `submitted`: jobs of one Submit. A server that does not answer ends
// the process with a message.
std::unique_ptr<Queue> MakeRedis(int port, int batch, int submitted);
std::unique_ptr<Queue> MakePostgres(int port, int batch, int submitted);
std::unique_ptr<Queue> MakeBeanstalkd(int port, int batch, int submitted);
enum class RabbitQueue { kClassic, kQuorum };
std::unique_ptr<Queue> MakeRabbit(int port, RabbitQueue kind, int batch);

[[noreturn]] void Die(const std::string& what);

}  // namespace hostq::bench
