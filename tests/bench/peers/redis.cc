// Redis streams: XADD, XREADGROUP, XACK. With appendfsync always a reply comes after the fdatasync
// of all that was written in that turn of the event loop.
#include <hiredis/hiredis.h>

#include "queue.h"

namespace hostq::bench {
namespace {

constexpr char kStream[] = "jobs";

struct Reply {
  explicit Reply(void* got) : reply(static_cast<redisReply*>(got)) {
    if (reply == nullptr) Die("redis: connection lost");
    if (reply->type == REDIS_REPLY_ERROR) Die(std::string("redis: ") + reply->str);
  }
  ~Reply() { freeReplyObject(reply); }
  redisReply* operator->() const { return reply; }
  redisReply* reply;
};

class Connection {
 public:
  explicit Connection(int port) : context_(redisConnect("127.0.0.1", port)) {
    if (context_ == nullptr || context_->err != 0) Die("redis: no connection");
    redisEnableKeepAlive(context_);
  }
  ~Connection() { redisFree(context_); }
  redisContext* operator*() const { return context_; }

 private:
  redisContext* context_;
};

class RedisProducer final : public Producer {
 public:
  explicit RedisProducer(int port) : connection_(port) {}
  void Submit(const std::string& payload, int count) override {
    for (int i = 0; i < count; ++i) {
      redisAppendCommand(*connection_, "XADD %s * p %b", kStream, payload.data(), payload.size());
    }
    for (int i = 0; i < count; ++i) {
      void* reply = nullptr;
      redisGetReply(*connection_, &reply);
      const Reply added(reply);
    }
  }

 private:
  Connection connection_;
};

class RedisConsumer final : public Consumer {
 public:
  RedisConsumer(int port, int number) : connection_(port), name_("c" + std::to_string(number)) {}
  std::vector<Job> Take(int count) override {
    const Reply got(redisCommand(*connection_,
                                 "XREADGROUP GROUP g %s COUNT %d BLOCK 1000 STREAMS %s >",
                                 name_.c_str(), count, kStream));
    std::vector<Job> jobs;
    if (got->type != REDIS_REPLY_ARRAY || got->elements == 0) return jobs;
    const redisReply* entries = got->element[0]->element[1];
    for (size_t i = 0; i < entries->elements; ++i) {
      const redisReply* entry = entries->element[i];
      const redisReply* value = entry->element[1]->element[1];
      jobs.push_back({0, entry->element[0]->str, std::string(value->str, value->len)});
    }
    return jobs;
  }
  void Done(const std::vector<Job>& jobs) override {
    std::vector<const char*> words = {"XACK", kStream, "g"};
    for (const Job& job : jobs) words.push_back(job.name.c_str());
    const Reply done(
        redisCommandArgv(*connection_, static_cast<int>(words.size()), words.data(), nullptr));
    if (done->integer != static_cast<long long>(jobs.size())) Die("redis: XACK");
  }

 private:
  Connection connection_;
  const std::string name_;
};

class RedisQueue final : public Queue {
 public:
  explicit RedisQueue(int port) : port_(port) {
    const Connection connection(port);
    const Reply flushed(redisCommand(*connection, "FLUSHALL"));
    const Reply made(redisCommand(*connection, "XGROUP CREATE %s g $ MKSTREAM", kStream));
  }
  std::unique_ptr<Producer> MakeProducer() override {
    return std::make_unique<RedisProducer>(port_);
  }
  std::unique_ptr<Consumer> MakeConsumer() override {
    return std::make_unique<RedisConsumer>(port_, consumers_++);
  }

 private:
  const int port_;
  int consumers_ = 0;
};

}  // namespace

std::unique_ptr<Queue> MakeRedis(int port, int /*batch*/, int /*submitted*/) {
  return std::make_unique<RedisQueue>(port);
}

}  // namespace hostq::bench
