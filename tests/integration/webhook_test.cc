// Goal: receivers are told what they asked for and nothing else, at least once, whatever happens;
// what they do not take is tried again, parked, and replayed. Stuck work is told once for each
// cause, to webhooks and by mail. Method: a manager in this process, and receivers on loopback.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "api_client.h"
#include "common/base/error.h"
#include "common/rpc/status.h"
#include "google/protobuf/util/json_util.h"
#include "hostq/v1/webhook_service.grpc.pb.h"
#include "manager/webhook/signature.h"
#include "programs.h"
#include "receiver.h"
#include "test_agent.h"

namespace hostq::manager::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::WebhookPayload PayloadOf(const Receiver::Request& request) {
  v1::WebhookPayload payload;
  const auto parsed = google::protobuf::util::JsonStringToMessage(request.body, &payload);
  EXPECT_TRUE(parsed.ok()) << parsed << request.body;
  return payload;
}

class WebhookTest : public ::testing::Test {
 protected:
  void SetUp() override {
    manager_.Stop();
    manager_.change_config().webhooks.allow = {"127.0.0.0/8"};
    manager_.change_config().notify.settle = absl::ZeroDuration();
    Start();
    manager_.AddNode("web1", v1::Node::APP, "192.0.2.11");
    manager_.AddNode("web2", v1::Node::APP, "192.0.2.12");
    manager_.MountHome();
  }
  void Start() {
    manager_.Start();
    local_ = v1::WebhookService::NewStub(grpc::CreateChannel(
        "unix:" + manager_.config().listen.admin_socket, grpc::InsecureChannelCredentials()));
  }
  void Restart() {
    manager_.Stop();
    Start();
  }

  // Any method: OK and the answer, or what the manager says.
  template <typename Request, typename Response>
  absl::Status Ask(grpc::Status (v1::WebhookService::Stub::*method)(grpc::ClientContext*,
                                                                    const Request&, Response*),
                   const Request& request, Response& response, const std::string& key = "") {
    KeyCall call(key);
    auto stub = key.empty() ? nullptr
                            : v1::WebhookService::NewStub(manager_.Channel(
                                  manager_.config().listen.api, nullptr, manager_.ca_pem()));
    return FromGrpc(((key.empty() ? *local_ : *stub).*method)(&call, request, &response));
  }
  static v1::CreateWebhookRequest Request(const std::string& name, const std::string& url,
                                          const std::vector<std::string>& events) {
    v1::CreateWebhookRequest request;
    request.set_name(name);
    request.set_url(url);
    for (const std::string& event : events) request.add_events(event);
    return request;
  }
  // Its secret.
  std::string Make(const v1::CreateWebhookRequest& request, const std::string& key = "") {
    v1::CreateWebhookResponse response;
    const absl::Status status =
        Ask(&v1::WebhookService::Stub::CreateWebhook, request, response, key);
    EXPECT_TRUE(status.ok()) << status;
    return response.secret();
  }
  absl::Status TryMake(const v1::CreateWebhookRequest& request, const std::string& key = "") {
    v1::CreateWebhookResponse response;
    return Ask(&v1::WebhookService::Stub::CreateWebhook, request, response, key);
  }
  v1::Webhook Get(const std::string& name) {
    v1::GetWebhookRequest request;
    request.set_name(name);
    v1::Webhook webhook;
    const absl::Status status = Ask(&v1::WebhookService::Stub::GetWebhook, request, webhook);
    EXPECT_TRUE(status.ok()) << status;
    return webhook;
  }
  std::vector<v1::Delivery> Deliveries(const std::string& name) {
    v1::ListDeliveriesRequest request;
    request.set_webhook(name);
    v1::ListDeliveriesResponse response;
    const absl::Status status = Ask(&v1::WebhookService::Stub::ListDeliveries, request, response);
    EXPECT_TRUE(status.ok()) << status;
    return {response.deliveries().begin(), response.deliveries().end()};
  }
  v1::Delivery SendTest(const std::string& name) {
    v1::TestWebhookRequest request;
    request.set_name(name);
    v1::Delivery delivery;
    const absl::Status status = Ask(&v1::WebhookService::Stub::TestWebhook, request, delivery);
    EXPECT_TRUE(status.ok()) << status;
    Eventually([&] {
      v1::GetDeliveryRequest get;
      get.set_id(delivery.id());
      return Ask(&v1::WebhookService::Stub::GetDelivery, get, delivery).ok() &&
             delivery.state() != v1::Delivery::PENDING;
    });
    return delivery;
  }
  int Replay(const std::string& webhook, const std::string& id = "") {
    v1::ReplayDeliveryRequest request;
    id.empty() ? request.set_webhook(webhook) : request.set_id(id);
    v1::ReplayDeliveryResponse response;
    const absl::Status status = Ask(&v1::WebhookService::Stub::ReplayDelivery, request, response);
    EXPECT_TRUE(status.ok()) << status;
    return response.replayed();
  }
  void Cancel(const std::string& id) {
    Call call;
    v1::CancelCommandRequest request;
    request.set_id(id);
    v1::Command command;
    const absl::Status status =
        FromGrpc(manager_.commands().CancelCommand(&call, request, &command));
    EXPECT_TRUE(status.ok()) << status;
  }
  // A command that has ended: its id.
  std::string Ended(const std::string& address) {
    const std::string id = manager_.Bind(address, "web1").id();
    Cancel(id);
    return id;
  }
  static bool Has(const Receiver& receiver, const std::string& text) {
    for (const auto& request : receiver.requests()) {
      if (absl::StrContains(request.body, text)) return true;
    }
    return false;
  }

  TestManager manager_;
  std::unique_ptr<v1::WebhookService::Stub> local_;
};

TEST_F(WebhookTest, AReceiverIsToldWhenACommandHasEnded) {
  Receiver receiver;
  const std::string secret = Make(Request("billing", receiver.url("/hostq"), {"command.finished"}));
  EXPECT_TRUE(absl::StartsWith(secret, "hqw_"));
  v1::CreateCommandRequest create;
  create.mutable_spec()->mutable_bind_address()->set_address("203.0.113.50");
  create.add_nodes("web1");
  create.set_request_id("order-17");
  const std::string id = manager_.Create(create)->command().id();
  Cancel(id);
  ASSERT_TRUE(Eventually([&] { return receiver.count() == 1; }));
  const auto request = receiver.requests()[0];
  EXPECT_EQ(request.target, "/hostq");
  EXPECT_EQ(request.headers.at("content-type"), "application/json");
  EXPECT_EQ(request.headers.at("hostq-event"), "command.finished");
  EXPECT_TRUE(absl::StartsWith(request.headers.at("user-agent"), "hostq/"));
  const v1::WebhookPayload payload = PayloadOf(request);
  EXPECT_EQ(payload.id(), request.headers.at("hostq-delivery"));
  EXPECT_EQ(payload.type(), "command.finished");
  EXPECT_EQ(payload.cluster(), "test");
  EXPECT_EQ(payload.command().id(), id);
  EXPECT_EQ(payload.command().request_id(), "order-17");
  EXPECT_EQ(payload.command().state(), v1::Command::CANCELLED);
  EXPECT_EQ(payload.command().tasks(0).node(), "web1");
  EXPECT_EQ(payload.event().command_id(), id);
  // Signed, not long ago.
  const std::string signature = request.headers.at("hostq-signature");
  int64_t time = 0;
  ASSERT_TRUE(absl::SimpleAtoi(signature.substr(2, signature.find(',') - 2), &time));
  EXPECT_LT(absl::Now() - absl::FromUnixSeconds(time), absl::Minutes(1));
  EXPECT_EQ(signature, SignatureOf({secret}, absl::FromUnixSeconds(time), request.body));
  ASSERT_TRUE(Eventually([&] { return Get("billing").pending() == 0; }));
  EXPECT_EQ(Get("billing").last_answer(), "204");
  EXPECT_EQ(Deliveries("billing").at(0).state(), v1::Delivery::DELIVERED);
}

TEST_F(WebhookTest, WhatIsNotTakenIsTriedAgainAcrossARestart) {
  Receiver receiver;
  std::atomic<int> status = 503;
  receiver.SetReply([&](const auto&) { return Receiver::Answer(status, "try later"); });
  Make(Request("billing", receiver.url(), {"command.finished"}));
  const std::string id = Ended("203.0.113.50");
  ASSERT_TRUE(Eventually([&] { return Get("billing").state() == v1::Webhook::FAILING; }));
  EXPECT_EQ(Get("billing").last_answer(), "503: try later");
  EXPECT_EQ(Get("billing").pending(), 1);
  Restart();
  EXPECT_EQ(Get("billing").pending(), 1);
  status = 200;
  const std::string delivery = Deliveries("billing").at(0).id();
  Replay("", delivery);  // sooner than by itself
  ASSERT_TRUE(Eventually([&] { return Get("billing").pending() == 0; }));
  EXPECT_EQ(Get("billing").state(), v1::Webhook::ACTIVE);
  // The same delivery each time.
  for (const auto& request : receiver.requests()) {
    EXPECT_EQ(request.headers.at("hostq-delivery"), delivery);
    EXPECT_EQ(PayloadOf(request).command().id(), id);
  }
}

TEST_F(WebhookTest, WhatHappensWhileTheManagerIsAwayOrTheWebhookPausedIsNotForgotten) {
  Receiver receiver;
  Make(Request("billing", receiver.url(), {"command.finished"}));
  v1::PauseWebhookRequest pause;
  pause.set_name("billing");
  pause.set_note("moves");
  v1::Webhook webhook;
  ASSERT_TRUE(Ask(&v1::WebhookService::Stub::PauseWebhook, pause, webhook).ok());
  EXPECT_EQ(webhook.state(), v1::Webhook::PAUSED);
  const std::string id = Ended("203.0.113.50");
  const v1::Delivery test = SendTest("billing");
  EXPECT_EQ(test.state(), v1::Delivery::DELIVERED);
  EXPECT_FALSE(Has(receiver, id));
  Restart();
  v1::ResumeWebhookRequest resume;
  resume.set_name("billing");
  ASSERT_TRUE(Ask(&v1::WebhookService::Stub::ResumeWebhook, resume, webhook).ok());
  EXPECT_TRUE(Eventually([&] { return Has(receiver, id); }));
  // With skip it is.
  ASSERT_TRUE(Ask(&v1::WebhookService::Stub::PauseWebhook, pause, webhook).ok());
  const std::string skipped = Ended("203.0.113.51");
  resume.set_skip(true);
  ASSERT_TRUE(Ask(&v1::WebhookService::Stub::ResumeWebhook, resume, webhook).ok());
  const std::string last = Ended("203.0.113.52");
  EXPECT_TRUE(Eventually([&] { return Has(receiver, last); }));
  EXPECT_FALSE(Has(receiver, skipped));
}

TEST_F(WebhookTest, ATestSaysWhatIsAnswered) {
  Receiver receiver;
  Make(Request("billing", receiver.url(), {"command.finished"}));
  EXPECT_EQ(SendTest("billing").answer(), "204");
  receiver.SetReply([](const auto&) { return Receiver::Answer(404, "<html>\nnot here"); });
  const v1::Delivery delivery = SendTest("billing");
  EXPECT_EQ(delivery.state(), v1::Delivery::PARKED);
  EXPECT_EQ(delivery.answer(), "404: <html>");
  EXPECT_EQ(PayloadOf(receiver.requests().back()).type(), "test");
  // It is no finding: whoever asked for it was told.
  Call call;
  v1::ListFindingsResponse response;
  EXPECT_TRUE(manager_.commands().ListFindings(&call, {}, &response).ok());
  for (const v1::Finding& finding : response.findings()) {
    EXPECT_NE(finding.reason(), v1::Reason::WEBHOOK_FAILING) << finding.DebugString();
  }
  receiver.SetReply([](const auto&) { return Receiver::Answer(200); });
  EXPECT_EQ(Replay("billing"), 1);
}

TEST_F(WebhookTest, AFullOneTakesOnTheRestLater) {
  Receiver receiver;
  std::atomic<int> status = 500;
  receiver.SetReply([&](const auto&) { return Receiver::Answer(status); });
  v1::CreateWebhookRequest request = Request("billing", receiver.url(), {"*"});
  Make(request);
  // Tests are parked at once; they count.
  for (size_t i = 0; i < Webhooks::kMaxWaiting; ++i) {
    v1::TestWebhookRequest test;
    test.set_name("billing");
    v1::Delivery delivery;
    if (!Ask(&v1::WebhookService::Stub::TestWebhook, test, delivery).ok()) break;
  }
  EXPECT_TRUE(Get("billing").full());
  const std::string id = Ended("203.0.113.50");
  status = 200;
  // A thousand deliveries go before it.
  EXPECT_TRUE(Eventually(
      [&] {
        Replay("billing");
        return Has(receiver, id);
      },
      std::chrono::seconds(120)));
}

TEST_F(WebhookTest, OneReceiverDoesNotHoldUpAnother) {
  Receiver slow;
  slow.SetReply([](const auto&) { return std::string(); });
  Receiver quick;
  Make(Request("slow", slow.url(), {"command.finished"}));
  Make(Request("quick", quick.url(), {"command.finished"}));
  std::set<std::string> ids;
  for (int i = 0; i < 20; ++i) ids.insert(Ended(absl::StrCat("203.0.113.", 50 + i)));
  EXPECT_TRUE(Eventually([&] { return quick.count() == ids.size(); }));
  EXPECT_LE(slow.connections(), 4);
}

TEST_F(WebhookTest, KeysSeeAndAreToldOfWhatIsTheirs) {
  Receiver own, all;
  const std::string a = MakeKey(manager_, "reseller-a", {"read", "submit", "act"}, true);
  const std::string b = MakeKey(manager_, "reseller-b", {"read", "submit", "act"}, true);
  const std::string nothing = MakeKey(manager_, "submitter", {"submit"});
  const std::string monitor = MakeKey(manager_, "monitor", {"read"});
  EXPECT_EQ(ReasonOf(TryMake(Request("x", own.url(), {"command.finished"}), nothing)),
            Reason::kOutOfScope);
  // What is not about its accounts is nothing for it.
  for (const char* event : {"*", "finding.new", "node.*", "alarm.raised"}) {
    EXPECT_EQ(ReasonOf(TryMake(Request("x", own.url(), {event}), a)), Reason::kOutOfScope) << event;
  }
  Make(Request("of-a", own.url(), {"command.finished"}), a);
  Make(Request("of-monitor", all.url(), {"command.*", "node.*", "finding.*"}), monitor);
  v1::GetWebhookRequest get;
  get.set_name("of-a");
  v1::Webhook webhook;
  EXPECT_TRUE(Ask(&v1::WebhookService::Stub::GetWebhook, get, webhook, a).ok());
  EXPECT_EQ(webhook.created_by(), "key/reseller-a");
  EXPECT_EQ(ReasonOf(Ask(&v1::WebhookService::Stub::GetWebhook, get, webhook, b)),
            Reason::kUnknownWebhook);
  EXPECT_EQ(ReasonOf(Ask(&v1::WebhookService::Stub::GetWebhook, get, webhook, monitor)),
            Reason::kUnknownWebhook);
  v1::DeleteWebhookRequest del;
  del.set_name("of-a");
  v1::DeleteWebhookResponse deleted;
  EXPECT_EQ(ReasonOf(Ask(&v1::WebhookService::Stub::DeleteWebhook, del, deleted, b)),
            Reason::kUnknownWebhook);
  v1::ListWebhooksResponse list;
  EXPECT_TRUE(Ask(&v1::WebhookService::Stub::ListWebhooks, {}, list, b).ok());
  EXPECT_EQ(list.webhooks_size(), 0);
  EXPECT_TRUE(Ask(&v1::WebhookService::Stub::ListWebhooks, {}, list).ok());
  EXPECT_EQ(list.webhooks_size(), 2);

  const auto of_b = ApiClient(manager_, b).Create(AccountRequest("b.example", "b", "203.0.113.10"));
  ASSERT_TRUE(of_b.ok()) << of_b.status();
  Cancel(of_b->command().id());
  const auto of_a = ApiClient(manager_, a).Create(AccountRequest("a.example", "a", "203.0.113.11"));
  ASSERT_TRUE(of_a.ok()) << of_a.status();
  Cancel(of_a->command().id());
  EXPECT_TRUE(Eventually([&] { return own.count() == 1 && all.count() >= 2; }));
  EXPECT_EQ(PayloadOf(own.requests().at(0)).command().account(), "a.example");
  EXPECT_TRUE(Has(all, "b.example"));
  // With its key it ends.
  v1::RevokeKeyRequest revoke;
  revoke.set_name("reseller-a");
  Call call;
  v1::Key key;
  ASSERT_TRUE(manager_.keys().RevokeKey(&call, revoke, &key).ok());
  EXPECT_EQ(Get("of-a").state(), v1::Webhook::ENDED);
  const std::string last = Ended("203.0.113.50");
  EXPECT_TRUE(Eventually([&] { return Has(all, last); }));
  EXPECT_EQ(own.count(), 1u);
}

TEST_F(WebhookTest, WrongRequestsAreRefused) {
  const auto refused = [&](v1::CreateWebhookRequest request, Reason reason,
                           const std::string& field) {
    const absl::Status status = TryMake(request);
    EXPECT_EQ(ReasonOf(status), reason) << status << request.DebugString();
    EXPECT_TRUE(absl::StartsWith(status.message(), field)) << status;
  };
  const v1::CreateWebhookRequest good =
      Request("billing", "https://billing.example/", {"command.finished"});
  v1::CreateWebhookRequest bad = good;
  bad.set_name("Bad Name");
  refused(bad, Reason::kInvalidName, "name");
  (bad = good).set_url("gopher://a.example/");
  refused(bad, Reason::kInvalidArgument, "url");
  (bad = good).set_url("http://169.254.169.254/latest/");
  refused(bad, Reason::kWebhookAddressRefused, "the address 169.254.169.254");
  (bad = good).set_url("http://192.168.0.1/");
  refused(bad, Reason::kWebhookAddressRefused, "the address 192.168.0.1");
  (bad = good).clear_events();
  refused(bad, Reason::kInvalidArgument, "events");
  (bad = good).set_events(0, "command.started");
  refused(bad, Reason::kInvalidArgument, "events");
  (bad = good).add_kinds("make_account");
  refused(bad, Reason::kInvalidArgument, "kind");
  (bad = good).add_accounts("A.Example");
  refused(bad, Reason::kInvalidArgument, "accounts");
  for (int i = 0; i <= 100; ++i) bad.add_accounts("a.example");
  refused(bad, Reason::kInvalidArgument, "accounts");
  Make(good);
  refused(good, Reason::kWebhookExists, "name");
  v1::ReplayDeliveryRequest replay;
  v1::ReplayDeliveryResponse replayed;
  EXPECT_EQ(ReasonOf(Ask(&v1::WebhookService::Stub::ReplayDelivery, replay, replayed)),
            Reason::kInvalidArgument);
  replay.set_id("none");
  EXPECT_EQ(ReasonOf(Ask(&v1::WebhookService::Stub::ReplayDelivery, replay, replayed)),
            Reason::kUnknownDelivery);
}

TEST_F(WebhookTest, RotatingSignsWithBoth) {
  Receiver receiver;
  const std::string first = Make(Request("billing", receiver.url(), {"command.finished"}));
  v1::RotateWebhookRequest rotate;
  rotate.set_name("billing");
  v1::CreateWebhookResponse rotated;
  ASSERT_TRUE(Ask(&v1::WebhookService::Stub::RotateWebhook, rotate, rotated).ok());
  SendTest("billing");
  const auto request = receiver.requests().at(0);
  const std::string signature = request.headers.at("hostq-signature");
  int64_t time = 0;
  ASSERT_TRUE(absl::SimpleAtoi(signature.substr(2, signature.find(',') - 2), &time));
  EXPECT_EQ(signature,
            SignatureOf({rotated.secret(), first}, absl::FromUnixSeconds(time), request.body));
}

// What is stuck, told once.
class NotifyTest : public WebhookTest {
 protected:
  void SetUp() override {
    WebhookTest::SetUp();
    // As sendmail, and it can be told to fail.
    sendmail_ = folder_.Write("sendmail",
                              absl::StrCat("#!/bin/sh\n[ ! -e ", folder_.path(),
                                           "/broken ] || { echo 'queue is full' >&2; exit 75; }\n"
                                           "{ echo \"ARGS $*\"; cat; echo END; } >> ",
                                           folder_.path(), "/mails\n"),
                              0755);
    manager_.Stop();
    auto& notify = manager_.change_config().notify;
    notify.mail_to = {"ops@example.com", "night@example.com"};
    notify.mail_from = "hostq@example.com";
    notify.sendmail = sendmail_;
    Start();
  }
  std::string Mails() const { return ReadText(folder_.path() + "/mails"); }
  static int Count(const std::string& text, const std::string& what) {
    return static_cast<int>(std::vector<std::string>(absl::StrSplit(text, what)).size()) - 1;
  }

  Folder folder_;
  std::string sendmail_;
};

TEST_F(NotifyTest, OneMessageForABrokenFileServerAndOneWhenItWorksAgain) {
  Receiver receiver;
  Make(Request("pager", receiver.url(), {"finding.*", "task.parked"}));
  const Joined node = manager_.Join("web9", v1::Node::APP, "192.0.2.19");
  TestAgent agent(manager_, node);
  agent.Ready(manager_);
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) {
    ids.push_back(manager_.Bind(absl::StrCat("203.0.113.", 60 + i), "web9").id());
    agent.Work(v1::Reason::SHARE_UNRESPONSIVE);
  }
  const auto of_cause = [&](const std::string& type) {
    int count = 0;
    for (const auto& request : receiver.requests()) {
      const v1::WebhookPayload payload = PayloadOf(request);
      count +=
          payload.type() == type && payload.finding().reason() == v1::Reason::SHARE_UNRESPONSIVE
              ? 1
              : 0;
    }
    return count;
  };
  EXPECT_TRUE(Eventually([&] { return of_cause("finding.new") == 1; }));
  EXPECT_TRUE(Eventually([&] { return Has(receiver, "task.parked") && Has(receiver, ids[4]); }));
  EXPECT_TRUE(Eventually([&] {
    return absl::StrContains(Mails(), "SHARE_UNRESPONSIVE") && absl::StrContains(Mails(), "END");
  }));
  EXPECT_THAT(Mails(), HasSubstr("ARGS -i -f hostq@example.com -- ops@example.com "
                                 "night@example.com\nFrom: hostq@example.com\n"));
  EXPECT_THAT(Mails(), HasSubstr("Auto-Submitted: auto-generated\n"));
  // A restart repeats nothing.
  Restart();
  for (const std::string& id : ids) Cancel(id);
  EXPECT_TRUE(Eventually([&] { return of_cause("finding.cleared") == 1; }));
  EXPECT_TRUE(Eventually([&] {
    return absl::StrContains(Mails(), "gone: SHARE_UNRESPONSIVE") ||
           Count(Mails(), "gone since") > 0;
  }));
  EXPECT_EQ(of_cause("finding.new"), 1);
}

TEST_F(NotifyTest, AMailThatIsNotTakenIsAFindingAndIsSentLater) {
  folder_.Write("broken", "");
  manager_.Stop();
  Start();
  EXPECT_TRUE(Eventually([&] {
    Call call;
    v1::ListFindingsRequest request;
    v1::ListFindingsResponse response;
    EXPECT_TRUE(manager_.commands().ListFindings(&call, request, &response).ok());
    for (const v1::Finding& finding : response.findings()) {
      if (finding.reason() == v1::Reason::MAIL_FAILING) {
        EXPECT_THAT(finding.summary(), HasSubstr("ended with code 75: queue is full"));
        return true;
      }
    }
    return false;
  }));
}

}  // namespace
}  // namespace hostq::manager::testing
