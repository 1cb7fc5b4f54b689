// Nodes: added, joined, paused, drained, removed; their tokens, certificates and preflights.
#include "cluster_harness.h"

namespace hostq::manager {
namespace {

class ClusterNodesTest : public ClusterHarness {
 protected:
  static storage::v1::Token Token(const std::string& id) {
    return FromText<storage::v1::Token>(
        absl::StrCat("id: '", id, "' secret_hash: 'hash' expire_time { seconds: 1700000900 }"));
  }

  absl::StatusOr<ChangeSet> Add(const std::string& request, const std::string& token) {
    auto changes =
        cluster_->AddNode(FromText<v1::CreateNodeRequest>(request), Token(token), "root", now_);
    Stored(changes.ok() ? *changes : ChangeSet{});
    return changes;
  }

  std::string AddCode(const std::string& request, const std::string& token = "t") {
    return CodeOf(Add(request, token).status());
  }

  // What a preflight with these steps makes of the node.
  ChangeSet Preflight(const std::string& node, const std::string& steps,
                      Reason reason = Reason::kNone) {
    Command command;
    command.id = 7;
    command.kind = "preflight";
    Task task;
    task.node = node;
    task.phase_time = now_.wall;
    Attempt attempt;
    attempt.reason = reason;
    attempt.message = "ended";
    attempt.steps = FromText<v1::Attempt>(steps).SerializeAsString();
    ChangeSet changes = cluster_->AttemptEnded(command, task, attempt);
    Stored(changes);
    return changes;
  }

  std::string Checks(const std::string& node) {
    return absl::StrJoin(cluster_->FindNode(node)->node().checks(), " ",
                         [](std::string* out, const v1::PreflightCheck& check) {
                           absl::StrAppend(out, check.id(), ":",
                                           v1::PreflightCheck::Status_Name(check.status()));
                         });
  }
};

TEST_F(ClusterNodesTest, AddedNodeIsKnownAndHasAToken) {
  const auto changes =
      Add("name: 'web1' roles: [STORAGE, APP, APP] address: '2001:DB8:0::1'", "t1");
  ASSERT_TRUE(changes.ok()) << changes.status();
  ASSERT_EQ(changes->nodes.size(), 1u);
  EXPECT_EQ(changes->nodes[0].name, "web1");
  EXPECT_EQ(changes->nodes[0].roles, (std::vector<std::string>{"app", "storage"}));
  EXPECT_FALSE(changes->nodes[0].joined);
  ASSERT_EQ(changes->events.size(), 1u);
  EXPECT_EQ(changes->events[0].type, EventType::kNodeAdded);
  EXPECT_EQ(changes->events[0].actor, "root");
  EXPECT_EQ(cluster_->FindNode("web1")->node().address(), "2001:db8::1");
  ASSERT_NE(cluster_->FindToken("t1"), nullptr);
  EXPECT_EQ(cluster_->FindToken("t1")->node(), "web1");
}

TEST_F(ClusterNodesTest, BadNodesAreRefused) {
  ThreeNodes();
  Do("bind_address { address: '203.0.113.99' }");
  EXPECT_EQ(AddCode(""), "INVALID_ARGUMENT INVALID_NAME");
  EXPECT_EQ(AddCode("name: 'Web' roles: [APP] address: '10.0.0.5'"),
            "INVALID_ARGUMENT INVALID_NAME");
  EXPECT_EQ(AddCode("name: 'web5' address: '10.0.0.5'"), "INVALID_ARGUMENT INVALID_ARGUMENT");
  EXPECT_EQ(AddCode("name: 'web5' roles: [ROLE_UNSPECIFIED] address: '10.0.0.5'"),
            "INVALID_ARGUMENT INVALID_ARGUMENT");
  EXPECT_EQ(AddCode("name: 'web5' roles: [APP, DATABASE] address: '10.0.0.5'"),
            "INVALID_ARGUMENT INVALID_ARGUMENT")
      << "reserved";
  EXPECT_EQ(AddCode("name: 'web5' roles: 77 address: '10.0.0.5'"),
            "INVALID_ARGUMENT INVALID_ARGUMENT");
  EXPECT_EQ(AddCode("name: 'web5' roles: [APP]"), "INVALID_ARGUMENT INVALID_ADDRESS");
  EXPECT_EQ(AddCode("name: 'web5' roles: [APP] address: '10.0.0.0/24'"),
            "INVALID_ARGUMENT INVALID_ADDRESS");
  EXPECT_EQ(AddCode("name: 'web5' roles: [APP] address: '10.0.0.11'"),
            "ALREADY_EXISTS NODE_EXISTS");
  EXPECT_EQ(AddCode("name: 'web1' roles: [APP] address: '10.0.0.5'"), "ALREADY_EXISTS NODE_EXISTS");
  EXPECT_EQ(AddCode("name: 'web5' roles: [APP] address: '203.0.113.99'"),
            "FAILED_PRECONDITION ADDRESS_IN_USE");
  EXPECT_EQ(AddCode("name: 'web5' roles: [APP] address: '10.0.0.5'", ""),
            "INVALID_ARGUMENT INVALID_ARGUMENT");
  EXPECT_EQ(AddCode("name: 'web5' roles: [APP] address: '10.0.0.5'"), "OK");
  EXPECT_EQ(AddCode("name: 'web6' roles: [APP] address: '10.0.0.6'", "t"),
            "ALREADY_EXISTS INVALID_ARGUMENT")
      << "a token with that id";
}

TEST_F(ClusterNodesTest, AddedAgainBeforeItJoinedItGetsANewToken) {
  ASSERT_EQ(AddCode("name: 'web1' roles: [APP] address: '10.0.0.11'", "t1"), "OK");
  ASSERT_EQ(AddCode("name: 'web1' roles: [STORAGE] address: '10.0.0.12'", "t2"), "OK");
  EXPECT_EQ(cluster_->FindToken("t1"), nullptr);
  ASSERT_NE(cluster_->FindToken("t2"), nullptr);
  EXPECT_EQ(cluster_->FindNode("web1")->node().address(), "10.0.0.12");
  EXPECT_EQ(cluster_->NodeStates()[0].roles, std::vector<std::string>{"storage"});
}

TEST_F(ClusterNodesTest, TokenIsBoundToTheFirstKey) {
  ASSERT_EQ(AddCode("name: 'web1' roles: [APP] address: '10.0.0.11'", "t1"), "OK");
  const auto bind = [&](const std::string& id, const std::string& key) {
    const auto changes = cluster_->BindToken(id, key, now_);
    Stored(changes.ok() ? *changes : ChangeSet{});
    return CodeOf(changes.status());
  };
  EXPECT_EQ(bind("t9", "key1"), "PERMISSION_DENIED TOKEN_INVALID");
  EXPECT_EQ(bind("t1", ""), "PERMISSION_DENIED TOKEN_INVALID");
  EXPECT_EQ(bind("t1", "key1"), "OK");
  EXPECT_EQ(cluster_->FindToken("t1")->incarnation(), 1);
  EXPECT_EQ(bind("t1", "key1"), "OK");
  EXPECT_EQ(cluster_->FindToken("t1")->incarnation(), 1) << "the same one again";
  EXPECT_EQ(bind("t1", "key2"), "PERMISSION_DENIED TOKEN_USED");
}

TEST_F(ClusterNodesTest, IncarnationsAreNeverUsedTwice) {
  for (int i = 1; i <= 3; ++i) {
    const std::string token = absl::StrCat("t", i);
    ASSERT_EQ(AddCode("name: 'web1' roles: [APP] address: '10.0.0.11'", token), "OK");
    Stored(*cluster_->BindToken(token, "key", now_));
    EXPECT_EQ(cluster_->FindToken(token)->incarnation(), i);
    Stored(*cluster_->RemoveNode("web1", 0, false, "root"));
    EXPECT_EQ(cluster_->FindToken(token), nullptr);
    Reload();
  }
}

TEST_F(ClusterNodesTest, PutTokenReplacesTheOlderOnes) {
  ASSERT_EQ(AddCode("name: 'web1' roles: [APP] address: '10.0.0.11'", "t1"), "OK");
  storage::v1::Token token = Token("t2");
  EXPECT_EQ(CodeOf(cluster_->PutToken(token).status()), "NOT_FOUND UNKNOWN_NODE");
  token.set_node("web1");
  Stored(*cluster_->PutToken(token));
  EXPECT_EQ(cluster_->FindToken("t1"), nullptr);
  EXPECT_EQ(CodeOf(cluster_->PutToken(token).status()), "ALREADY_EXISTS INVALID_ARGUMENT");
}

TEST_F(ClusterNodesTest, JoinedWithTheFirstCertificate) {
  ASSERT_EQ(AddCode("name: 'web1' roles: [APP] address: '10.0.0.11'"), "OK");
  const auto join = [&](int64_t incarnation, const std::string& serial, absl::Duration life) {
    auto changes = cluster_->NodeJoined(
        {"web1", incarnation, serial, now_.wall, now_.wall + life, "pin"}, now_);
    Stored(changes.ok() ? *changes : ChangeSet{});
    return changes;
  };
  EXPECT_EQ(CodeOf(cluster_->NodeJoined({"web9", 1, "s", now_.wall, now_.wall}, now_).status()),
            "NOT_FOUND UNKNOWN_NODE");
  EXPECT_EQ(CodeOf(join(0, "s", absl::Hours(1)).status()), "FAILED_PRECONDITION TOKEN_INVALID");
  auto changes = join(4, "s1", absl::Hours(1));
  ASSERT_TRUE(changes.ok());
  ASSERT_EQ(changes->events.size(), 1u);
  EXPECT_EQ(changes->events[0].type, EventType::kNodeJoined);
  EXPECT_TRUE(changes->nodes.at(0).joined);
  EXPECT_FALSE(changes->nodes.at(0).admitted);
  Preflight("web1", "steps { name: 'a' }");
  EXPECT_TRUE(cluster_->NodeStates()[0].admitted);

  changes = join(4, "s2", absl::Hours(10));
  ASSERT_TRUE(changes.ok());
  EXPECT_TRUE(changes->events.empty()) << "renewed";
  EXPECT_TRUE(cluster_->NodeStates()[0].admitted);
  EXPECT_EQ(cluster_->FindNode("web1")->next().serial(), "s2") << "the answer was lost";

  EXPECT_EQ(CodeOf(join(3, "s", absl::Hours(1)).status()), "FAILED_PRECONDITION TOKEN_INVALID");
  ASSERT_TRUE(join(5, "s5", absl::Hours(1)).ok());
  EXPECT_FALSE(cluster_->NodeStates()[0].admitted) << "another machine, perhaps";
  EXPECT_EQ(cluster_->FindNode("web1")->next().serial(), "s5");
  EXPECT_FALSE(cluster_->FindNode("web1")->has_current());
  EXPECT_EQ(Checks("web1"), "");
  EXPECT_EQ(cluster_->NodeStates()[0].certificate_expire_time, now_.wall + absl::Hours(1));
}

TEST_F(ClusterNodesTest, NodeThatHasJoinedMayJoinAgain) {
  ThreeNodes();
  EXPECT_EQ(CodeOf(cluster_->RejoinNode("web9", Token("t"), "root").status()),
            "NOT_FOUND UNKNOWN_NODE");
  const std::string before = cluster_->FindNode("web1")->SerializeAsString();
  const auto changes = cluster_->RejoinNode("web1", Token("t"), "root");
  ASSERT_TRUE(changes.ok()) << changes.status();
  Stored(*changes);
  EXPECT_EQ(cluster_->FindToken("t")->node(), "web1");
  EXPECT_EQ(cluster_->FindNode("web1")->SerializeAsString(), before) << "until it has joined";
}

TEST_F(ClusterNodesTest, ManagerAtAnotherAddressThanTheNodesWereTold) {
  Cluster::Options options{"test", "10.0.0.1"};
  options.agents_address = "10.0.0.1:7443";
  auto cluster = *Cluster::Load(options, {});
  ASSERT_TRUE(cluster
                  ->AddNode(FromText<v1::CreateNodeRequest>(
                                "name: 'web1' roles: [APP] address: '10.0.0.2'"),
                            Token("t"), "root", now_)
                  .ok());
  ASSERT_TRUE(
      cluster->NodeJoined({"web1", 1, "s", now_.wall, now_.wall + absl::Hours(1)}, now_).ok());
  EXPECT_EQ(cluster->NodeStates().at(0).old_manager_address, "");
  options.agents_address = "10.0.0.9:7443";
  cluster = *Cluster::Load(options, cluster->Rows());
  EXPECT_EQ(cluster->NodeStates().at(0).old_manager_address, "10.0.0.1:7443");
}

TEST_F(ClusterNodesTest, PausedAndResumed) {
  ThreeNodes();
  EXPECT_EQ(CodeOf(cluster_->PauseNode("web9", "x", "root", now_).status()),
            "NOT_FOUND UNKNOWN_NODE");
  EXPECT_EQ(CodeOf(cluster_->PauseNode("web1", "", "root", now_).status()),
            "INVALID_ARGUMENT INVALID_ARGUMENT");
  EXPECT_EQ(CodeOf(cluster_->PauseNode("web1", std::string(501, 'x'), "root", now_).status()),
            "INVALID_ARGUMENT INVALID_ARGUMENT");
  ExpectInStep();
  const auto paused = cluster_->PauseNode("web1", "new disk", "root", now_);
  Stored(*paused);
  EXPECT_TRUE(paused->nodes.at(0).paused);
  EXPECT_EQ(paused->nodes.at(0).pause_note, "new disk");
  EXPECT_EQ(paused->nodes.at(0).paused_by, "root");
  EXPECT_EQ(paused->nodes.at(0).pause_time, now_.wall);
  EXPECT_EQ(paused->events.at(0).type, EventType::kNodePaused);
  const auto resumed = cluster_->ResumeNode("web1", "root");
  Stored(*resumed);
  EXPECT_FALSE(resumed->nodes.at(0).paused);
  EXPECT_EQ(resumed->events.at(0).type, EventType::kNodeResumed);
  EXPECT_TRUE(cluster_->ResumeNode("web1", "root")->events.empty()) << "it was not paused";
  EXPECT_EQ(CodeOf(cluster_->ResumeNode("web9", "root").status()), "NOT_FOUND UNKNOWN_NODE");
}

TEST_F(ClusterNodesTest, RemovedUnlessItHasTasks) {
  ThreeNodes();
  EXPECT_EQ(CodeOf(cluster_->RemoveNode("web9", 0, true, "root").status()),
            "NOT_FOUND UNKNOWN_NODE");
  EXPECT_EQ(CodeOf(cluster_->RemoveNode("web1", 2, false, "root").status()),
            "FAILED_PRECONDITION NODE_HAS_TASKS");
  ExpectInStep();
  const auto removed = cluster_->RemoveNode("web1", 2, true, "root");
  Stored(*removed);
  EXPECT_EQ(removed->removed_nodes, std::vector<std::string>{"web1"});
  EXPECT_EQ(removed->events.at(0).type, EventType::kNodeRemoved);
  EXPECT_EQ(cluster_->FindNode("web1"), nullptr);
}

TEST_F(ClusterNodesTest, RemovedNodeIsForgottenWhereItWasNamed) {
  ThreeNodes();
  Do("mount_share { share: 'w' source: 'f:/w' mount_point: '/w' }", {"storage1"});
  Do("bind_address { address: '203.0.113.98' }", {"web1"});
  Do("bind_address { address: '203.0.113.99' }", {"web1", "web2"});
  Stored(*cluster_->RemoveNode("storage1", 0, false, "root"));
  Stored(*cluster_->RemoveNode("web1", 0, false, "root"));
  EXPECT_EQ(cluster_->FindShare("w")->extra_nodes_size(), 0);
  ASSERT_EQ(cluster_->addresses().size(), 1u) << "not everywhere, because nowhere";
  EXPECT_EQ(cluster_->addresses().begin()->second.nodes_size(), 1);
}

TEST_F(ClusterNodesTest, DrainingNodeIsNoTarget) {
  ThreeNodes();
  EXPECT_EQ(CodeOf(cluster_->DrainNode("web9").status()), "NOT_FOUND UNKNOWN_NODE");
  const auto drained = cluster_->DrainNode("web1");
  Stored(*drained);
  EXPECT_TRUE(drained->nodes.at(0).draining);
  EXPECT_TRUE(cluster_->DrainNode("web1")->resources.empty());
  EXPECT_EQ(SummaryOf("bind_address { address: '203.0.113.99' }"),
            "bind_address address/203.0.113.99: 0:web2; supersedes bind_address, unbind_address");
}

TEST_F(ClusterNodesTest, PreflightWithoutFailureAdmits) {
  ThreeNodes();
  const ChangeSet changes = Preflight("web1", R"(
      steps { name: 'kernel-nfs' message: 'there' }
      steps { name: 'arp' reason: ARP_NOT_SILENCED warning: true message: 'eth0' }
      steps { name: 'tools' warning: true message: 'odd' }
      steps { name: 'quota' skipped: true message: 'no share' })");
  EXPECT_EQ(Checks("web1"), "kernel-nfs:OK arp:WARNING tools:WARNING quota:SKIPPED");
  ASSERT_EQ(changes.nodes.size(), 1u);
  EXPECT_TRUE(changes.nodes[0].admitted);
  EXPECT_TRUE(changes.nodes[0].joined);
  ASSERT_EQ(changes.events.size(), 1u);
  EXPECT_EQ(changes.events[0].type, EventType::kNodePreflight);
  EXPECT_EQ(changes.events[0].node, "web1");
  EXPECT_EQ(changes.events[0].command, 7);
  EXPECT_EQ(changes.events[0].reason, Reason::kNone);
  EXPECT_EQ(changes.events[0].message, "passed: 4 checks, 2 warnings");
  EXPECT_FALSE(cluster_->FindNode("web1")->node().checks(1).remedy().empty());
  EXPECT_EQ(cluster_->FindNode("web1")->node().preflight_time().seconds(), 1'700'000'000);
}

TEST_F(ClusterNodesTest, AnotherSystemThanTheManagersIsAWarning) {
  Cluster::Options options = options_;
  options.os = "debian 12";
  options.machine = "x86_64";
  cluster_ = *Cluster::Load(options, {});
  stored_.clear();
  ThreeNodes();
  const auto os = [&](const std::string& version, const std::string& machine) {
    Preflight("web1",
              "steps { name: 'os' message: 'Debian' evidence { key: 'id' value: 'debian' } "
              "evidence { key: 'version' value: '" +
                  version +
                  "' } evidence { key: "
                  "'machine' value: '" +
                  machine + "' } }");
    return cluster_->FindNode("web1")->node().checks(0);
  };
  EXPECT_EQ(os("12", "x86_64").status(), v1::PreflightCheck::OK);
  for (const auto& check : {os("11", "x86_64"), os("12", "aarch64")}) {
    EXPECT_EQ(check.status(), v1::PreflightCheck::WARNING);
    EXPECT_EQ(check.message(), "Debian; the manager's machine has debian 12, x86_64");
    EXPECT_FALSE(check.remedy().empty());
  }
}

// Found by a tester: the only file server of a cluster with accounts went without a question.
TEST_F(ClusterNodesTest, TheOnlyStorageNodeIsNotRemovedFromUnderItsAccounts) {
  ThreeNodes();
  HomeShare();
  Stored(*cluster_->RemoveNode("web2", 0, false, "root"));
  Submitted(Create("a.example", "a"));
  EXPECT_EQ(CodeOf(cluster_->RemoveNode("storage1", 0, false, "root").status()),
            "FAILED_PRECONDITION SHARE_IN_USE");
  EXPECT_TRUE(cluster_->RemoveNode("storage1", 0, true, "root").ok());
}

TEST_F(ClusterNodesTest, FailedPreflightKeepsOut) {
  ThreeNodes();
  const ChangeSet changes = Preflight(
      "web1", "steps { name: 'a' } steps { name: 'b' reason: SHARE_ACCESS_DENIED message: 'no' }",
      Reason::kPreflightFailed);
  EXPECT_EQ(Checks("web1"), "a:OK b:FAILED");
  ASSERT_EQ(changes.nodes.size(), 1u);
  EXPECT_FALSE(changes.nodes[0].admitted);
  ASSERT_EQ(changes.nodes[0].failed_checks.size(), 1u);
  EXPECT_EQ(changes.nodes[0].failed_checks[0].resource_key, "check/b");
  EXPECT_EQ(changes.nodes[0].failed_checks[0].reason, Reason::kShareAccessDenied);
  EXPECT_EQ(changes.events.at(0).reason, Reason::kPreflightFailed);
  EXPECT_EQ(changes.events.at(0).message, "failed: b");
  EXPECT_FALSE(cluster_->FindNode("web1")->admitted());
}

TEST_F(ClusterNodesTest, ARemedyNamesTheNodeAndWhatIsThere) {
  ThreeNodes();
  Preflight("web1",
            "steps { name: 'arp' reason: ARP_NOT_SILENCED evidence { key: 'interface' value: "
            "'eth7' } } steps { name: 'share/home' reason: DIFFERS warning: true }",
            Reason::kPreflightFailed);
  EXPECT_EQ(Checks("web1"), "arp:FAILED") << "what is named by a resource key was compared";
  const std::string& remedy = cluster_->FindNode("web1")->node().checks(0).remedy();
  EXPECT_EQ(remedy.find("INTERFACE"), std::string::npos) << remedy;
  EXPECT_EQ(remedy.find("COMMAND"), std::string::npos) << remedy;
}

TEST_F(ClusterNodesTest, PreflightThatWasNotThroughDoesNotAdmit) {
  ThreeNodes();
  Preflight("web1", "steps { name: 'a' }", Reason::kInterrupted);
  EXPECT_EQ(Checks("web1"), "a:OK preflight:FAILED");
  EXPECT_FALSE(cluster_->FindNode("web1")->admitted());
}

TEST_F(ClusterNodesTest, OnceAdmittedAlwaysAdmitted) {
  ThreeNodes();
  Preflight("web1", "steps { name: 'a' }");
  const ChangeSet changes =
      Preflight("web1", "steps { name: 'a' reason: TOOL_MISSING }", Reason::kPreflightFailed);
  ASSERT_EQ(changes.nodes.size(), 1u);
  EXPECT_TRUE(changes.nodes[0].admitted);
  EXPECT_TRUE(cluster_->FindNode("web1")->admitted());
  EXPECT_EQ(Checks("web1"), "a:FAILED");
}

TEST_F(ClusterNodesTest, OtherAttemptsAreNoPreflight) {
  ThreeNodes();
  Command command;
  command.kind = "set_quota";
  Task task;
  task.node = "web1";
  EXPECT_TRUE(cluster_->AttemptEnded(command, task, {}).resources.empty());
  command.kind = "preflight";
  task.node = "gone";
  EXPECT_TRUE(cluster_->AttemptEnded(command, task, {}).resources.empty());
  task.node = "web1";
  Attempt garbage;
  garbage.steps = "\xff\xff\xff";
  EXPECT_TRUE(cluster_->AttemptEnded(command, task, garbage).resources.empty());
  ExpectInStep();
}

TEST_F(ClusterNodesTest, ConnectedNodeIsCheckedUntilItHasPassed) {
  ThreeNodes();
  NodeState web1;
  web1.name = "web1";
  const auto first = cluster_->NodeConnected(web1);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(Summary(*first),
            "preflight node/preflight: 0:web1; supersedes preflight; also before the preflight");
  EXPECT_TRUE(first->changes.resources.empty());
  Preflight("web1", "steps { name: 'a' reason: TOOL_MISSING }", Reason::kPreflightFailed);
  EXPECT_TRUE(cluster_->NodeConnected(web1).has_value());
  Preflight("web1", "steps { name: 'a' }");
  EXPECT_FALSE(cluster_->NodeConnected(web1).has_value());
  web1.name = "gone";
  EXPECT_FALSE(cluster_->NodeConnected(web1).has_value());
}

}  // namespace
}  // namespace hostq::manager
