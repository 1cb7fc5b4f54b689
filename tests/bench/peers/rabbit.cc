// RabbitMQ: durable queues, persistent messages, publisher confirms, manual acknowledgement.
#include <amqp.h>
#include <amqp_tcp_socket.h>

#include <cstring>

#include "queue.h"

namespace hostq::bench {
namespace {

constexpr char kQueue[] = "jobs";
constexpr amqp_channel_t kChannel = 1;

class Connection {
 public:
  explicit Connection(int port) : connection_(amqp_new_connection()) {
    amqp_socket_t* socket = amqp_tcp_socket_new(connection_);
    if (amqp_socket_open(socket, "127.0.0.1", port) != 0) Die("rabbitmq: no connection");
    Check(amqp_login(connection_, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest"));
    amqp_channel_open(connection_, kChannel);
    Check();
  }
  ~Connection() {
    amqp_connection_close(connection_, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(connection_);
  }
  static void Check(const amqp_rpc_reply_t& reply) {
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) Die("rabbitmq: refused");
  }
  void Check() const { Check(amqp_get_rpc_reply(connection_)); }
  amqp_connection_state_t operator*() const { return connection_; }

 private:
  amqp_connection_state_t connection_;
};

class RabbitProducer final : public Producer {
 public:
  explicit RabbitProducer(int port) : connection_(port) {
    amqp_confirm_select(*connection_, kChannel);
    connection_.Check();
    properties_._flags = AMQP_BASIC_DELIVERY_MODE_FLAG;
    properties_.delivery_mode = 2;
  }
  void Submit(const std::string& payload, int count) override {
    amqp_bytes_t body;
    body.bytes = const_cast<char*>(payload.data());
    body.len = payload.size();
    for (int i = 0; i < count; ++i) {
      if (amqp_basic_publish(*connection_, kChannel, amqp_empty_bytes, amqp_cstring_bytes(kQueue),
                             1, 0, &properties_, body) != 0) {
        Die("rabbitmq: publish");
      }
    }
    // One acknowledgement may be for several.
    published_ += static_cast<uint64_t>(count);
    while (confirmed_ < published_) {
      amqp_frame_t frame;
      amqp_maybe_release_buffers(*connection_);
      if (amqp_simple_wait_frame(*connection_, &frame) != 0) Die("rabbitmq: wait");
      if (frame.frame_type != AMQP_FRAME_METHOD ||
          frame.payload.method.id != AMQP_BASIC_ACK_METHOD) {
        Die("rabbitmq: no confirmation");
      }
      const auto* ack = static_cast<amqp_basic_ack_t*>(frame.payload.method.decoded);
      confirmed_ = ack->multiple != 0 ? ack->delivery_tag : confirmed_ + 1;
    }
  }

 private:
  Connection connection_;
  amqp_basic_properties_t properties_{};
  uint64_t published_ = 0, confirmed_ = 0;
};

class RabbitConsumer final : public Consumer {
 public:
  RabbitConsumer(int port, int batch) : connection_(port) {
    amqp_basic_qos(*connection_, kChannel, 0, static_cast<uint16_t>(batch), 0);
    connection_.Check();
    amqp_basic_consume(*connection_, kChannel, amqp_cstring_bytes(kQueue), amqp_empty_bytes, 0, 0,
                       0, amqp_empty_table);
    connection_.Check();
  }
  std::vector<Job> Take(int count) override {
    std::vector<Job> jobs;
    while (static_cast<int>(jobs.size()) < count) {
      amqp_envelope_t envelope;
      timeval patience{jobs.empty() ? 1 : 0, 0};
      amqp_maybe_release_buffers(*connection_);
      const amqp_rpc_reply_t reply = amqp_consume_message(*connection_, &envelope, &patience, 0);
      if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
        if (reply.library_error == AMQP_STATUS_TIMEOUT) break;
        Die("rabbitmq: consume");
      }
      const amqp_bytes_t& body = envelope.message.body;
      jobs.push_back(
          {envelope.delivery_tag, "", std::string(static_cast<const char*>(body.bytes), body.len)});
      amqp_destroy_envelope(&envelope);
    }
    return jobs;
  }
  void Done(const std::vector<Job>& jobs) override {
    amqp_basic_ack(*connection_, kChannel, jobs.back().id, jobs.size() > 1);
  }

 private:
  Connection connection_;
};

class RabbitPeer final : public Queue {
 public:
  RabbitPeer(int port, RabbitQueue kind, int batch) : port_(port), batch_(batch) {
    const Connection connection(port);
    amqp_queue_delete(*connection, kChannel, amqp_cstring_bytes(kQueue), 0, 0);
    amqp_get_rpc_reply(*connection);
    amqp_table_entry_t type;
    amqp_table_t arguments = amqp_empty_table;
    if (kind == RabbitQueue::kQuorum) {
      type.key = amqp_cstring_bytes("x-queue-type");
      type.value.kind = AMQP_FIELD_KIND_UTF8;
      type.value.value.bytes = amqp_cstring_bytes("quorum");
      arguments.num_entries = 1;
      arguments.entries = &type;
    }
    amqp_queue_declare(*connection, kChannel, amqp_cstring_bytes(kQueue), 0, 1, 0, 0, arguments);
    connection.Check();
  }
  std::unique_ptr<Producer> MakeProducer() override {
    return std::make_unique<RabbitProducer>(port_);
  }
  std::unique_ptr<Consumer> MakeConsumer() override {
    return std::make_unique<RabbitConsumer>(port_, batch_);
  }

 private:
  const int port_, batch_;
};

}  // namespace

std::unique_ptr<Queue> MakeRabbit(int port, RabbitQueue kind, int batch) {
  return std::make_unique<RabbitPeer>(port, kind, batch);
}

}  // namespace hostq::bench
