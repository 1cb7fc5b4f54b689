// beanstalkd -b -f0: its own text protocol; each put and delete is synced before it is answered.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>

#include "queue.h"

namespace hostq::bench {
namespace {

class Connection {
 public:
  explicit Connection(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      Die("beanstalkd: no connection");
    }
    const int one = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  }
  ~Connection() { close(fd_); }

  void Send(const std::string& text) const {
    for (size_t at = 0; at < text.size();) {
      const ssize_t sent = write(fd_, text.data() + at, text.size() - at);
      if (sent <= 0) Die("beanstalkd: write");
      at += static_cast<size_t>(sent);
    }
  }
  std::string Line() {
    for (;;) {
      if (const size_t end = buffer_.find("\r\n"); end != std::string::npos) {
        std::string line = buffer_.substr(0, end);
        buffer_.erase(0, end + 2);
        return line;
      }
      Fill();
    }
  }
  std::string Body(size_t size) {
    while (buffer_.size() < size + 2) Fill();
    std::string body = buffer_.substr(0, size);
    buffer_.erase(0, size + 2);
    return body;
  }

 private:
  void Fill() {
    char some[16384];
    const ssize_t got = read(fd_, some, sizeof some);
    if (got <= 0) Die("beanstalkd: read");
    buffer_.append(some, static_cast<size_t>(got));
  }
  const int fd_;
  std::string buffer_;
};

class BeanstalkdProducer final : public Producer {
 public:
  explicit BeanstalkdProducer(int port) : connection_(port) {}
  void Submit(const std::string& payload, int count) override {
    std::string puts;
    for (int i = 0; i < count; ++i) {
      puts += "put 0 0 60 " + std::to_string(payload.size()) + "\r\n" + payload + "\r\n";
    }
    connection_.Send(puts);
    for (int i = 0; i < count; ++i) {
      if (connection_.Line().rfind("INSERTED", 0) != 0) Die("beanstalkd: put");
    }
  }

 private:
  Connection connection_;
};

class BeanstalkdConsumer final : public Consumer {
 public:
  explicit BeanstalkdConsumer(int port) : connection_(port) {}
  std::vector<Job> Take(int /*count*/) override {
    connection_.Send("reserve-with-timeout 1\r\n");
    const std::string line = connection_.Line();
    unsigned long long id = 0;
    size_t size = 0;
    if (sscanf(line.c_str(), "RESERVED %llu %zu", &id, &size) != 2) return {};
    return {{id, "", connection_.Body(size)}};
  }
  void Done(const std::vector<Job>& jobs) override {
    for (const Job& job : jobs) {
      connection_.Send("delete " + std::to_string(job.id) + "\r\n");
      if (connection_.Line() != "DELETED") Die("beanstalkd: delete");
    }
  }

 private:
  Connection connection_;
};

class BeanstalkdQueue final : public Queue {
 public:
  explicit BeanstalkdQueue(int port) : port_(port) {}
  std::unique_ptr<Producer> MakeProducer() override {
    return std::make_unique<BeanstalkdProducer>(port_);
  }
  std::unique_ptr<Consumer> MakeConsumer() override {
    return std::make_unique<BeanstalkdConsumer>(port_);
  }

 private:
  const int port_;
};

}  // namespace

std::unique_ptr<Queue> MakeBeanstalkd(int port, int /*batch*/, int /*submitted*/) {
  return std::make_unique<BeanstalkdQueue>(port);
}

}  // namespace hostq::bench
