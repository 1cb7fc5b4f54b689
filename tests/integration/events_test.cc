// The stream of events: complete, in order, resumable, filtered, and never a brake.
#include <gmock/gmock.h>

#include <chrono>
#include <future>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/rpc/status.h"
#include "test_agent.h"
#include "test_manager.h"

namespace hostq::manager::testing {
namespace {

class EventsTest : public ::testing::Test {
 protected:
  using Stream = std::unique_ptr<grpc::ClientReader<v1::Event>>;

  std::vector<v1::Event> ReadAll(v1::WatchEventsRequest request) {
    request.set_no_follow(true);
    Call call;
    const Stream stream = manager_.events().WatchEvents(&call, request);
    std::vector<v1::Event> events;
    v1::Event event;
    while (stream->Read(&event)) events.push_back(event);
    const absl::Status status = FromGrpc(stream->Finish());
    EXPECT_TRUE(status.ok()) << status;
    return events;
  }
  absl::Status Refused(const v1::WatchEventsRequest& request) {
    Call call;
    const Stream stream = manager_.events().WatchEvents(&call, request);
    v1::Event event;
    EXPECT_FALSE(stream->Read(&event));
    return FromGrpc(stream->Finish());
  }
  void Commands(int from, int count) {
    for (int i = from; i < from + count; ++i) {
      manager_.Bind(absl::StrCat("203.0.", 100 + i / 200, ".", 1 + i % 200));
    }
  }

  TestManager manager_;
};

TEST_F(EventsTest, EverythingIsThereWithoutAGap) {
  manager_.AddNode("web1", v1::Node::APP, "192.0.2.11");
  Commands(0, 20);
  const std::vector<v1::Event> events = ReadAll({});
  ASSERT_GE(events.size(), 21u);
  EXPECT_EQ(events[0].type(), v1::Event::NODE_ADDED);
  for (size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].sequence(), static_cast<int64_t>(i) + 1);
  }
}

TEST_F(EventsTest, ResumeContinuesWhereItStopped) {
  manager_.AddNode("web1", v1::Node::APP, "192.0.2.11");
  Commands(0, 30);
  const std::vector<v1::Event> all = ReadAll({});
  v1::WatchEventsRequest request;
  for (const size_t at : {size_t{1}, all.size() / 2, all.size()}) {
    request.set_since_sequence(all[at - 1].sequence());
    EXPECT_EQ(ReadAll(request).size(), all.size() - at);
  }
}

// Old events come from the store, newer ones from memory, the newest as they happen.
TEST_F(EventsTest, FollowerSeesEveryEventOnceWhileTheyHappen) {
  manager_.AddNode("web1", v1::Node::APP, "192.0.2.11");
  Commands(0, 50);
  manager_.Stop();
  manager_.Start();
  std::thread submitter([&] { Commands(50, 200); });
  Call call;
  const Stream stream = manager_.events().WatchEvents(&call, {});
  v1::Event event;
  int created = 0;
  int64_t next = 1;
  while (created < 250 && stream->Read(&event)) {
    ASSERT_EQ(event.sequence(), next);
    ++next;
    created += event.type() == v1::Event::COMMAND_CREATED ? 1 : 0;
  }
  EXPECT_EQ(created, 250);
  submitter.join();
  call.TryCancel();
}

TEST_F(EventsTest, FilterByCommandAndByNode) {
  manager_.AddNode("web1", v1::Node::APP, "192.0.2.11");
  manager_.AddNode("web2", v1::Node::APP, "192.0.2.12");
  const v1::Command command = manager_.Bind("203.0.113.10");
  manager_.Bind("203.0.113.11");
  v1::WatchEventsRequest request;
  request.set_command_id(command.id());
  for (const v1::Event& event : ReadAll(request)) EXPECT_EQ(event.command_id(), command.id());
  EXPECT_FALSE(ReadAll(request).empty());
  request.clear_command_id();
  request.set_node("web2");
  for (const v1::Event& event : ReadAll(request)) EXPECT_EQ(event.node(), "web2");
  EXPECT_FALSE(ReadAll(request).empty());
}

TEST_F(EventsTest, FromNowSkipsHistory) {
  manager_.AddNode("web1", v1::Node::APP, "192.0.2.11");
  Commands(0, 5);
  const int64_t before = ReadAll({}).back().sequence();
  v1::WatchEventsRequest request;
  request.set_from_now(true);
  EXPECT_TRUE(ReadAll(request).empty());
  Call call;
  const Stream stream = manager_.events().WatchEvents(&call, request);
  stream->WaitForInitialMetadata();
  Commands(5, 1);
  v1::Event event;
  ASSERT_TRUE(stream->Read(&event));
  EXPECT_GT(event.sequence(), before);
  call.TryCancel();
}

TEST_F(EventsTest, SlowWatchersDelayNobody) {
  manager_.AddNode("web1", v1::Node::APP, "192.0.2.11");
  std::vector<std::unique_ptr<Call>> calls;
  std::vector<Stream> streams;
  for (int i = 0; i < 50; ++i) {
    calls.push_back(std::make_unique<Call>());
    streams.push_back(manager_.events().WatchEvents(calls.back().get(), {}));
  }
  const absl::Time start = absl::Now();
  Commands(0, 300);
  EXPECT_LT(absl::Now() - start, absl::Seconds(20));
  EXPECT_GE(ReadAll({}).size(), 301u);
  // A slow one has missed nothing.
  v1::Event event;
  for (int64_t next = 1; next <= 300; ++next) {
    ASSERT_TRUE(streams[7]->Read(&event));
    ASSERT_EQ(event.sequence(), next);
  }
  for (const auto& call : calls) call->TryCancel();
}

TEST_F(EventsTest, StreamsEndWhenTheManagerStops) {
  Call call;
  const Stream stream = manager_.events().WatchEvents(&call, {});
  auto end = std::async(std::launch::async, [&] {
    v1::Event event;
    while (stream->Read(&event)) {
    }
    return FromGrpc(stream->Finish());
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  manager_.Stop();
  const absl::Status status = end.get();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(status), Reason::kShuttingDown);
}

TEST_F(EventsTest, BadRequestsAreRefusedWithAReason) {
  v1::WatchEventsRequest request;
  request.set_since_sequence(-1);
  EXPECT_EQ(ReasonOf(Refused(request)), Reason::kInvalidArgument);
  request.set_since_sequence(1'000'000);
  EXPECT_EQ(Refused(request).code(), absl::StatusCode::kOutOfRange);
  request.set_since_sequence(0);
  request.set_command_id("nonsense");
  EXPECT_EQ(ReasonOf(Refused(request)), Reason::kInvalidArgument);
}

}  // namespace
}  // namespace hostq::manager::testing
