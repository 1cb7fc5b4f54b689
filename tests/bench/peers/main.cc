// peer_load: the same work as hostq_load's, done by another durable queue: jobs are submitted and
// acknowledged, delivered, and reported as done. Prints one line of JSON.
#include <CLI/CLI.hpp>
#include <atomic>
#include <iostream>
#include <thread>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/base/mutex.h"
#include "load/measure.h"
#include "queue.h"

namespace hostq::bench {
namespace {

struct Options {
  std::string peer;
  int port = 0, producers = 64, consumers = 64, batch = 1, submitted = 1;
  double seconds = 5, warm_up = 1, rate = 0;
  int64_t max_unfinished = 200;
  size_t payload = 500;
};

std::unique_ptr<Queue> Make(const Options& options) {
  if (options.peer == "redis") return MakeRedis(options.port, options.batch, options.submitted);
  if (options.peer == "postgres") {
    return MakePostgres(options.port, options.batch, options.submitted);
  }
  if (options.peer == "beanstalkd") {
    return MakeBeanstalkd(options.port, options.batch, options.submitted);
  }
  if (options.peer == "rabbitmq-classic") {
    return MakeRabbit(options.port, RabbitQueue::kClassic, options.batch);
  }
  if (options.peer == "rabbitmq-quorum") {
    return MakeRabbit(options.port, RabbitQueue::kQuorum, options.batch);
  }
  Die("no such peer: " + options.peer);
}

class Run {
 public:
  explicit Run(const Options& options) : options_(options), queue_(Make(options)) {}

  void Do() {
    for (int i = 0; i < options_.consumers; ++i) {
      consumers_.emplace_back([this, consumer = queue_->MakeConsumer()] { Consume(*consumer); });
    }
    const absl::Time start = absl::Now();
    for (int i = 0; i < options_.producers; ++i) {
      producers_.emplace_back(
          [this, i, start, producer = queue_->MakeProducer()] { Produce(*producer, i, start); });
    }
    absl::SleepFor(absl::Seconds(options_.warm_up));
    const int64_t begin = Nanos();
    const int64_t before = done_;
    recording_ = true;
    absl::SleepFor(absl::Seconds(options_.seconds));
    recording_ = false;
    const auto done = static_cast<double>(done_ - before);
    const double seconds = static_cast<double>(Nanos() - begin) / 1e9;
    producing_ = false;
    for (std::thread& thread : producers_) thread.join();
    for (int i = 0; i < 8'000 && done_ < submitted_; ++i) absl::SleepFor(absl::Milliseconds(1));
    consuming_ = false;
    for (std::thread& thread : consumers_) thread.join();
    std::cout << absl::StrFormat(
                     "{\"tasks_per_second\":%.1f,\"start_p50_ms\":%.3f,\"start_p99_ms\":%.3f,"
                     "\"call_p50_ms\":%.3f,\"call_p99_ms\":%.3f,\"all_done\":%s}",
                     done / seconds, starts_.Quantile(0.5), starts_.Quantile(0.99),
                     calls_.Quantile(0.5), calls_.Quantile(0.99),
                     done_ >= submitted_ ? "true" : "false")
              << std::endl;
  }

 private:
  void Produce(Producer& producer, int number, absl::Time start) {
    Latencies calls;
    for (int64_t n = 0; producing_; ++n) {
      if (options_.rate > 0) {
        const auto turn = static_cast<double>(n * options_.producers + number);
        absl::SleepFor(start + absl::Seconds(turn / options_.rate) - absl::Now());
        if (!producing_) break;
      } else {
        while (submitted_ - done_ >= options_.max_unfinished && producing_) {
          absl::SleepFor(absl::Microseconds(200));
        }
      }
      const int64_t begin = Nanos();
      producer.Submit(StampedPayload(options_.payload), options_.submitted);
      submitted_ += options_.submitted;
      if (recording_) calls.Add(Nanos() - begin);
    }
    const MutexLock lock(mutex_);
    calls_.Merge(calls);
  }

  void Consume(Consumer& consumer) {
    Latencies starts;
    while (consuming_) {
      const std::vector<Job> jobs = consumer.Take(options_.batch);
      if (jobs.empty()) continue;
      const int64_t now = Nanos();
      if (recording_) {
        for (const Job& job : jobs) starts.Add(now - StampOf(job.payload));
      }
      consumer.Done(jobs);
      done_ += static_cast<int64_t>(jobs.size());
    }
    const MutexLock lock(mutex_);
    starts_.Merge(starts);
  }

  const Options& options_;
  const std::unique_ptr<Queue> queue_;
  std::vector<std::thread> producers_, consumers_;
  std::atomic<bool> producing_ = true, consuming_ = true, recording_ = false;
  std::atomic<int64_t> submitted_ = 0, done_ = 0;
  Mutex mutex_;
  Latencies starts_ ABSL_GUARDED_BY(mutex_), calls_ ABSL_GUARDED_BY(mutex_);
};

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("peer_load: measures another durable queue (tests/bench/README.md)", "peer_load");
  app.add_option("--peer", options.peer)->required();
  app.add_option("--port", options.port)->required();
  app.add_option("--producers", options.producers);
  app.add_option("--consumers", options.consumers);
  app.add_option("--batch", options.batch, "jobs that a consumer takes at once");
  app.add_option("--submitted", options.submitted, "jobs that a producer submits at once");
  app.add_option("--seconds", options.seconds);
  app.add_option("--warm-up", options.warm_up);
  app.add_option("--rate", options.rate);
  app.add_option("--max-unfinished", options.max_unfinished);
  app.add_option("--payload", options.payload);
  CLI11_PARSE(app, argc, argv);
  Run(options).Do();
  return 0;
}

}  // namespace

void Die(const std::string& what) {
  std::cerr << "peer_load: " << what << std::endl;
  std::_Exit(1);
}

}  // namespace hostq::bench

int main(int argc, char** argv) { return hostq::bench::Main(argc, argv); }
