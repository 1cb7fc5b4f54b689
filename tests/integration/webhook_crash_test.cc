// Goal: a manager that is killed at any moment loses no delivery, and what it repeats has the same
// id. Method: the real programs, killed again and again while commands end and a receiver refuses
// now and then.
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/random.h"
#include "google/protobuf/util/json_util.h"
#include "hostq/v1/command_service.pb.h"
#include "hostq/v1/webhook_service.pb.h"
#include "programs.h"
#include "real_manager.h"
#include "receiver.h"

namespace hostq::manager::testing {
namespace {

constexpr int kCrashes = 12;

TEST(WebhookCrashTest, NothingIsLostAndRepeatedOnesHaveTheSameId) {
  const uint64_t seed = RandomSeed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  SeededRandom random(seed);
  Receiver receiver;
  std::atomic<bool> refuses = true;
  std::atomic<int> asked = 0;
  receiver.SetReply(
      [&](const auto&) { return Receiver::Answer(refuses && ++asked % 3 == 0 ? 503 : 200); });
  RealManager manager("[webhooks]\nallow = [\"127.0.0.0/8\"]\n");
  ASSERT_EQ(manager.Init(), 0);
  ASSERT_TRUE(manager.Start()) << manager.program().err();
  ASSERT_EQ(manager.Hostq("node add web1 --role app --address 192.0.2.11").exit_code, 0);
  ASSERT_EQ(
      manager.Hostq("webhook create billing --url " + receiver.url() + " --event command.finished")
          .exit_code,
      0);
  std::set<std::string> ended;
  int address = 1;
  for (int crash = 0; crash < kCrashes; ++crash) {
    for (int i = 0; i < 4; ++i) {
      const auto created = manager.Json<v1::Command>(
          absl::StrCat("address bind 203.0.113.", address++, " --node web1"));
      if (manager.Hostq("command cancel " + created.id()).exit_code == 0) {
        ended.insert(created.id());
      }
    }
    absl::SleepFor(absl::Milliseconds(static_cast<int>(random.Next() % 60)));
    manager.program().End(SIGKILL);
    ASSERT_TRUE(manager.Start()) << manager.program().err();
  }
  refuses = false;
  ASSERT_EQ(ended.size(), static_cast<size_t>(4 * kCrashes));
  std::map<std::string, std::set<std::string>> told;  // deliveries by command
  // What was refused comes again by itself, after at most so long: 10 s, 20 s, ...
  const absl::Time deadline = absl::Now() + absl::Minutes(3);
  const auto all_told = [&] {
    told.clear();
    for (const auto& request : receiver.requests()) {
      v1::WebhookPayload payload;
      EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(request.body, &payload).ok());
      told[payload.command().id()].insert(payload.id());
    }
    return manager.Json<v1::Webhook>("webhook show billing").pending() == 0 &&
           told.size() >= ended.size();
  };
  while (!all_told() && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(200));
  for (const std::string& id : ended) EXPECT_EQ(told[id].size(), 1u) << id;
}

}  // namespace
}  // namespace hostq::manager::testing
