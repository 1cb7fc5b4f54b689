// Every method of every service has exactly one row in the authorization table, and a listener can
// be asked for its own services only. The methods are taken from the compiled protos.
#include "manager/api/authorization.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "grpc/health/v1/health.pb.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"
#include "hostq/agent/v1/enrollment.pb.h"
#include "hostq/agent/v1/session.pb.h"
#include "hostq/v1/account_service.pb.h"
#include "hostq/v1/administrator_service.pb.h"
#include "hostq/v1/alarm_service.pb.h"
#include "hostq/v1/audit_service.pb.h"
#include "hostq/v1/authority_service.pb.h"
#include "hostq/v1/command_service.pb.h"
#include "hostq/v1/event_service.pb.h"
#include "hostq/v1/key_service.pb.h"
#include "hostq/v1/manager_service.pb.h"
#include "hostq/v1/node_service.pb.h"
#include "hostq/v1/webhook_service.pb.h"

namespace hostq::manager {
namespace {

// A message of each file that declares a service; a test below shows that none is missing.
std::set<const google::protobuf::FileDescriptor*> ServiceFiles() {
  return {agent::v1::EnrollRequest::descriptor()->file(),
          v1::GetAuditHeadRequest::descriptor()->file(),
          v1::ListAlarmsRequest::descriptor()->file(),
          v1::GetAuthorityRequest::descriptor()->file(),
          agent::v1::Hello::descriptor()->file(),
          v1::GetAccountRequest::descriptor()->file(),
          v1::GetCommandRequest::descriptor()->file(),
          v1::WatchEventsRequest::descriptor()->file(),
          v1::GetNodeRequest::descriptor()->file(),
          v1::Key::descriptor()->file(),
          v1::Overview::descriptor()->file(),
          v1::Administrator::descriptor()->file(),
          v1::Webhook::descriptor()->file(),
          grpc::health::v1::HealthCheckRequest::descriptor()->file(),
          grpc::reflection::v1alpha::ServerReflectionRequest::descriptor()->file()};
}

std::set<std::string> AllMethods() {
  std::set<std::string> methods;
  for (const auto* file : ServiceFiles()) {
    for (int i = 0; i < file->service_count(); ++i) {
      for (int j = 0; j < file->service(i)->method_count(); ++j) {
        methods.insert(file->service(i)->method(j)->full_name());
      }
    }
  }
  return methods;
}

TEST(AuthorizationTest, EveryMethodHasOneRowAndEveryRowAMethod) {
  std::multiset<std::string> rows;
  for (const MethodRule& rule : MethodRules()) rows.insert(std::string(rule.method));
  const std::set<std::string> methods = AllMethods();
  EXPECT_GE(methods.size(), 20u);
  EXPECT_EQ(rows, std::multiset<std::string>(methods.begin(), methods.end()));
}

// The list of files above cannot be forgotten: the sources have no other methods.
TEST(AuthorizationTest, SourcesHaveNoOtherMethods) {
  size_t methods = 0;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(HOSTQ_SOURCE_DIR "/proto")) {
    if (entry.path().extension() != ".proto") continue;
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) methods += line.starts_with("  rpc ");
  }
  EXPECT_EQ(methods, MethodRules().size());
}

TEST(AuthorizationTest, EveryServiceIsServedOnOneListener) {
  for (const auto* file : ServiceFiles()) {
    ASSERT_GT(file->service_count(), 0) << file->name();
    for (int i = 0; i < file->service_count(); ++i) {
      int listeners = 0;
      for (const Listener listener : {Listener::kAdministration, Listener::kAgents,
                                      Listener::kEnrollment, Listener::kHealth}) {
        listeners += MayServe(listener, file->service(i)->full_name()) ? 1 : 0;
      }
      EXPECT_EQ(listeners, 1) << file->service(i)->full_name();
    }
  }
}

TEST(AuthorizationTest, AgentsCannotReachAdministration) {
  EXPECT_FALSE(MayServe(Listener::kAgents, "hostq.v1.CommandService"));
  EXPECT_FALSE(MayServe(Listener::kEnrollment, "hostq.v1.NodeService"));
  EXPECT_FALSE(MayServe(Listener::kEnrollment, "hostq.agent.v1.SessionService"));
}

// As docs/reference/api.md has it.
std::string LineOf(const MethodRule& rule) {
  const bool administration = rule.listener == Listener::kAdministration;
  const std::string who = rule.local_only ? "administrators on the socket"
                          : administration && rule.verb != Verb::kNone ? "administrators, keys"
                          : administration                             ? "administrators"
                          : rule.listener == Listener::kAgents         ? "nodes"
                          : absl::EndsWith(rule.method, ".Renew")      ? "nodes, also after expiry"
                          : rule.listener == Listener::kEnrollment     ? "holders of a join token"
                                                                       : "everybody";
  std::string verb = rule.verb == Verb::kNone ? "none" : absl::StrCat("`", NameOf(rule.verb), "`");
  if (rule.other_verb != Verb::kNone) absl::StrAppend(&verb, " or `", NameOf(rule.other_verb), "`");
  const std::string reach = rule.verb == Verb::kNone           ? ""
                            : rule.reach == Reach::kEverything ? ", without limits"
                            : rule.reach == Reach::kNodes      ? ", not limited to accounts"
                                                               : "";
  const std::string rate = rule.rate == Rate::kCaller   ? "caller"
                           : rule.rate == Rate::kSource ? "address"
                                                        : "session";
  return absl::StrCat("| `", rule.method, "` | ", who, " | ", verb, reach, " | ", rate, " |");
}

TEST(AuthorizationTest, EveryMethodIsInTheReference) {
  std::ifstream file(HOSTQ_SOURCE_DIR "/docs/reference/api.md");
  std::multiset<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("| `")) lines.insert(line);
  }
  std::multiset<std::string> wanted;
  for (const MethodRule& rule : MethodRules()) wanted.insert(LineOf(rule));
  EXPECT_EQ(lines, wanted);
}

TEST(AuthorizationTest, WhatMakesRightsIsForNoKey) {
  for (const char* method : {"CreateKey", "RotateKey", "RevokeKey"}) {
    EXPECT_EQ(FindRule(absl::StrCat("hostq.v1.KeyService.", method))->verb, Verb::kNone);
  }
  for (const char* method : {"CreateAdministrator", "RevokeAdministrator"}) {
    EXPECT_EQ(FindRule(absl::StrCat("hostq.v1.AdministratorService.", method))->verb, Verb::kNone);
  }
  EXPECT_TRUE(FindRule("hostq.v1.AdministratorService.CreateAdministrator")->local_only);
  EXPECT_EQ(FindRule("hostq.v1.CommandService.NoSuchMethod"), nullptr);
}

TEST(AuthorizationTest, UnknownServiceIsServedNowhere) {
  EXPECT_FALSE(MayServe(Listener::kAdministration, "hostq.v1.NoSuchService"));
  EXPECT_FALSE(MayServe(Listener::kAdministration, ""));
}

}  // namespace
}  // namespace hostq::manager
