// What is refused, with which reason, and that nothing changes by it (the harness compares the rows
// after every call).
#include "absl/strings/match.h"
#include "cluster_harness.h"

namespace hostq::manager {
namespace {

class ClusterRefusalTest : public ClusterHarness {
 protected:
  ClusterRefusalTest() {
    ThreeNodes();
    HomeShare();
    Do(Create("example.com", "exampleco"));
  }

  struct Case {
    std::string spec;
    std::string code;
    std::string field;  // with which the message begins
    std::vector<std::string> nodes = {};
  };

  void ExpectRefused(const std::vector<Case>& cases) {
    for (const Case& each : cases) {
      const absl::Status status = Plan(each.spec, each.nodes).status();
      EXPECT_EQ(CodeOf(status), each.code) << each.spec << ": " << status;
      EXPECT_TRUE(absl::StartsWith(status.message(), each.field + ": "))
          << each.spec << ": " << status;
      EXPECT_LT(status.message().size(), 600u) << each.spec;
    }
  }
};

TEST_F(ClusterRefusalTest, NoKind) {
  EXPECT_EQ(Refusal(""), "INVALID_ARGUMENT INVALID_ARGUMENT");
  EXPECT_EQ(Refusal("", {"web1"}), "INVALID_ARGUMENT INVALID_ARGUMENT");
}

TEST_F(ClusterRefusalTest, EveryFieldMissing) {
  ExpectRefused({
      {"create_account {}", "INVALID_ARGUMENT INVALID_DOMAIN", "domain"},
      {"create_account { domain: 'a.example' }", "INVALID_ARGUMENT INVALID_USER_NAME", "user"},
      {"create_account { domain: 'a.example' user: 'a' }", "INVALID_ARGUMENT INVALID_ADDRESS",
       "address"},
      {"suspend_account {}", "INVALID_ARGUMENT INVALID_DOMAIN", "domain"},
      {"unsuspend_account {}", "INVALID_ARGUMENT INVALID_DOMAIN", "domain"},
      {"delete_account {}", "INVALID_ARGUMENT INVALID_DOMAIN", "domain"},
      {"resync_account {}", "INVALID_ARGUMENT INVALID_DOMAIN", "domain"},
      {"set_account_quota {}", "INVALID_ARGUMENT INVALID_DOMAIN", "domain"},
      {"add_account_address {}", "INVALID_ARGUMENT INVALID_DOMAIN", "domain"},
      {"add_account_address { domain: 'example.com' }", "INVALID_ARGUMENT INVALID_ADDRESS",
       "address"},
      {"remove_account_address {}", "INVALID_ARGUMENT INVALID_DOMAIN", "domain"},
      {"remove_account_address { domain: 'example.com' }", "INVALID_ARGUMENT INVALID_ADDRESS",
       "address"},
      {"mount_share {}", "INVALID_ARGUMENT INVALID_NAME", "share"},
      {"mount_share { share: 'www' }", "INVALID_ARGUMENT INVALID_PATH", "source"},
      {"mount_share { share: 'www' source: 'filer:/w' }", "INVALID_ARGUMENT INVALID_PATH",
       "mount_point"},
      {"unmount_share {}", "INVALID_ARGUMENT INVALID_NAME", "share"},
      {"set_quota {}", "INVALID_ARGUMENT INVALID_DOMAIN", "domain"},
      {"bind_address {}", "INVALID_ARGUMENT INVALID_ADDRESS", "address"},
      {"unbind_address {}", "INVALID_ARGUMENT INVALID_ADDRESS", "address"},
  });
}

TEST_F(ClusterRefusalTest, EveryFieldWrong) {
  const std::string mount = "mount_share { share: 'www' source: 'filer:/w' mount_point: ";
  ExpectRefused({
      {Create("exa_mple.com", "a"), "INVALID_ARGUMENT INVALID_DOMAIN", "domain"},
      {Create("a.example", "root"), "INVALID_ARGUMENT INVALID_USER_NAME", "user"},
      {Create("a.example", "Example"), "INVALID_ARGUMENT INVALID_USER_NAME", "user"},
      {Create("a.example", "a", "0.0.0.0"), "INVALID_ARGUMENT INVALID_ADDRESS", "address"},
      {Create("a.example", "a", "224.0.0.1"), "INVALID_ARGUMENT INVALID_ADDRESS", "address"},
      {Create("a.example", "a", "203.0.113.0/24"), "INVALID_ARGUMENT INVALID_ADDRESS", "address"},
      {Create("a.example", "a", "203.0.113.10", "quota_bytes: 4398046511104"),
       "INVALID_ARGUMENT INVALID_SIZE", "quota_bytes"},
      {Create("a.example", "a", "203.0.113.10", "quota_bytes: -1"), "INVALID_ARGUMENT INVALID_SIZE",
       "quota_bytes"},
      {Create("a.example", "a", "203.0.113.10", "uid: 19999"), "INVALID_ARGUMENT INVALID_ARGUMENT",
       "uid"},
      {Create("a.example", "a", "203.0.113.10", "uid: 0"), "INVALID_ARGUMENT INVALID_ARGUMENT",
       "uid"},
      {Create("a.example", "a", "203.0.113.10", "uid: 20010"), "INVALID_ARGUMENT INVALID_ARGUMENT",
       "uid"},
      {Create("a.example", "a", "203.0.113.10", "uid: 4294967295"),
       "INVALID_ARGUMENT INVALID_ARGUMENT", "uid"},
      {absl::StrCat("suspend_account { domain: 'example.com' note: '", std::string(201, 'x'),
                    "' }"),
       "INVALID_ARGUMENT INVALID_ARGUMENT", "note"},
      {"suspend_account { domain: 'example.com' note: 'a\\nb' }",
       "INVALID_ARGUMENT INVALID_ARGUMENT", "note"},
      {"set_account_quota { domain: 'example.com' quota_bytes: 1 }",
       "INVALID_ARGUMENT INVALID_SIZE", "quota_bytes"},
      {"set_quota { domain: 'example.com' quota_bytes: 4398046511104 }",
       "INVALID_ARGUMENT INVALID_SIZE", "quota_bytes"},
      {"add_account_address { domain: 'example.com' address: '255.255.255.255' }",
       "INVALID_ARGUMENT INVALID_ADDRESS", "address"},
      {"mount_share { share: 'WWW' }", "INVALID_ARGUMENT INVALID_NAME", "share"},
      {"mount_share { share: 'www' source: 'filer' }", "INVALID_ARGUMENT INVALID_PATH", "source"},
      {"mount_share { share: 'www' source: '0.0.0.0:/w' }", "INVALID_ARGUMENT INVALID_ADDRESS",
       "source"},
      {mount + "'/etc' }", "INVALID_ARGUMENT INVALID_PATH", "mount_point"},
      {mount + "'/w/' }", "INVALID_ARGUMENT INVALID_PATH", "mount_point"},
      {mount + "'/w' nfs_version: '4' }", "INVALID_ARGUMENT INVALID_ARGUMENT", "nfs_version"},
      {mount + "'/w' nfs_version: '2' }", "INVALID_ARGUMENT INVALID_ARGUMENT", "nfs_version"},
      {"unmount_share { share: '../x' }", "INVALID_ARGUMENT INVALID_NAME", "share"},
      {"bind_address { address: '127.0.0.1' }", "INVALID_ARGUMENT INVALID_ADDRESS", "address"},
      {"unbind_address { address: '127.0.0.1' }", "INVALID_ARGUMENT INVALID_ADDRESS", "address"},
  });
}

TEST_F(ClusterRefusalTest, EveryTextFarTooLong) {
  const std::string giant(1'000'000, 'a');
  for (const char* field :
       {"create_account { domain: 'a.example' user: '$' }", "create_account { domain: '$' }",
        "create_account { domain: 'a.example' user: 'a' address: '$' }",
        "suspend_account { domain: 'example.com' note: '$' }", "mount_share { share: '$' }",
        "mount_share { share: 'w' source: '$:/w' }", "mount_share { share: 'w' source: 'f:/$' }",
        "mount_share { share: 'w' source: 'f:/w' mount_point: '/$' }",
        "mount_share { share: 'w' source: 'f:/w' mount_point: '/w' "
        "nfs_version: '$' }",
        "unmount_share { share: '$' }", "bind_address { address: '$' }",
        "set_quota { domain: '$' }"}) {
    std::string spec = field;
    spec.replace(spec.find('$'), 1, giant);
    const absl::Status status = Plan(spec).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << field;
    EXPECT_LT(status.message().size(), 600u) << field;
  }
}

TEST_F(ClusterRefusalTest, WhatExistsOrDoesNot) {
  ExpectRefused({
      {Create("example.com", "other"), "ALREADY_EXISTS ACCOUNT_EXISTS", "domain"},
      {Create("EXAMPLE.COM", "other"), "ALREADY_EXISTS ACCOUNT_EXISTS", "domain"},
      {Create("a.example", "exampleco"), "ALREADY_EXISTS USER_IN_USE", "user"},
      {Create("a.example", "a", "203.0.113.10", "uid: 20000"), "ALREADY_EXISTS UID_IN_USE", "uid"},
      {"suspend_account { domain: 'a.example' }", "NOT_FOUND UNKNOWN_ACCOUNT", "domain"},
      {"unsuspend_account { domain: 'a.example' }", "NOT_FOUND UNKNOWN_ACCOUNT", "domain"},
      {"delete_account { domain: 'a.example' }", "NOT_FOUND UNKNOWN_ACCOUNT", "domain"},
      {"set_quota { domain: 'a.example' }", "NOT_FOUND UNKNOWN_ACCOUNT", "domain"},
      {"set_account_quota { domain: 'a.example' }", "NOT_FOUND UNKNOWN_ACCOUNT", "domain"},
      {"add_account_address { domain: 'a.example' address: '203.0.113.11' }",
       "NOT_FOUND UNKNOWN_ACCOUNT", "domain"},
      {"remove_account_address { domain: 'example.com' address: '203.0.113.11' }",
       "NOT_FOUND INVALID_ADDRESS", "address"},
      {"unmount_share { share: 'www' }", "NOT_FOUND UNKNOWN_SHARE", "share"},
  });
}

TEST_F(ClusterRefusalTest, AddressesThatBelongToMachines) {
  AddNode("web6", "[APP]", "2001:db8::6");
  ExpectRefused({
      {Create("a.example", "a", "10.0.0.1"), "FAILED_PRECONDITION ADDRESS_RESERVED", "address"},
      {Create("a.example", "a", "10.0.0.11"), "FAILED_PRECONDITION ADDRESS_RESERVED", "address"},
      {Create("a.example", "a", "2001:DB8:0::6"), "FAILED_PRECONDITION ADDRESS_RESERVED",
       "address"},
      {"add_account_address { domain: 'example.com' address: '10.0.0.12' }",
       "FAILED_PRECONDITION ADDRESS_RESERVED", "address"},
      {"bind_address { address: '10.0.0.1' }", "FAILED_PRECONDITION ADDRESS_RESERVED", "address"},
  });
}

TEST_F(ClusterRefusalTest, NodesNamed) {
  const std::string quota = "set_quota { domain: 'example.com' }";
  const std::string bind = "bind_address { address: '203.0.113.9' }";
  Stored(*cluster_->DrainNode("web2"));
  ExpectRefused({
      {Create("a.example", "a"), "INVALID_ARGUMENT INVALID_ARGUMENT", "nodes", {"web1"}},
      {"suspend_account { domain: 'example.com' }",
       "INVALID_ARGUMENT INVALID_ARGUMENT",
       "nodes",
       {"web1"}},
      {"delete_account { domain: 'example.com' }",
       "INVALID_ARGUMENT INVALID_ARGUMENT",
       "nodes",
       {"web1"}},
      {quota, "NOT_FOUND UNKNOWN_NODE", "nodes", {"web1", "web9"}},
      {quota, "NOT_FOUND UNKNOWN_NODE", "nodes", {""}},
      {quota, "NOT_FOUND UNKNOWN_NODE", "nodes", std::vector<std::string>(1000, "x\ny")},
      {quota, "FAILED_PRECONDITION NODE_DRAINING", "nodes", {"web2"}},
      {bind, "FAILED_PRECONDITION NO_TARGETS", "nodes", {"web1", "storage1"}},
      {"preflight {}", "NOT_FOUND UNKNOWN_NODE", "nodes", {"web9"}},
      {"preflight {}", "FAILED_PRECONDITION NODE_DRAINING", "nodes", {"web2"}},
  });
  EXPECT_TRUE(absl::StrContains(Plan(quota, {"web1", "web9"}).status().message(), "\"web9\""));
  std::vector<std::string> many;
  for (int i = 0; i < 10'000; ++i) many.push_back(absl::StrCat("node", i));
  EXPECT_LT(Plan(quota, many).status().message().size(), 300u);
}

TEST_F(ClusterRefusalTest, NoNodeThatFits) {
  for (const char* node : {"storage1", "web1", "web2"}) {
    Stored(*cluster_->RemoveNode(node, 0, true, "root"));
  }
  ExpectRefused({
      {Create("a.example", "a"), "FAILED_PRECONDITION NO_TARGETS", "nodes"},
      {"suspend_account { domain: 'example.com' }", "FAILED_PRECONDITION NO_TARGETS", "nodes"},
      {"delete_account { domain: 'example.com' }", "FAILED_PRECONDITION NO_TARGETS", "nodes"},
      {"set_account_quota { domain: 'example.com' }", "FAILED_PRECONDITION NO_TARGETS", "nodes"},
      {"set_quota { domain: 'example.com' }", "FAILED_PRECONDITION NO_TARGETS", "nodes"},
      {"add_account_address { domain: 'example.com' address: '203.0.113.9' }",
       "FAILED_PRECONDITION NO_TARGETS", "nodes"},
      {"mount_share { share: 'w' source: 'f:/w' mount_point: '/w' }",
       "FAILED_PRECONDITION NO_TARGETS", "nodes"},
      {"bind_address { address: '203.0.113.9' }", "FAILED_PRECONDITION NO_TARGETS", "nodes"},
      {"unbind_address { address: '203.0.113.9' }", "FAILED_PRECONDITION NO_TARGETS", "nodes"},
      {"preflight {}", "FAILED_PRECONDITION NO_TARGETS", "nodes"},
  });
}

TEST_F(ClusterRefusalTest, AccountsInTheMiddleOfSomething) {
  const std::vector<std::string> specs = {
      "suspend_account { domain: '$' }",
      "unsuspend_account { domain: '$' }",
      "set_quota { domain: '$' }",
      "set_account_quota { domain: '$' }",
      "add_account_address { domain: '$' address: '203.0.113.9' }",
      "remove_account_address { domain: '$' address: '203.0.113.9' }"};
  const auto expect_busy = [&](const std::string& domain) {
    for (std::string spec : specs) {
      spec.replace(spec.find('$'), 1, domain);
      EXPECT_EQ(Refusal(spec), "FAILED_PRECONDITION ACCOUNT_BUSY") << spec;
    }
  };
  Submitted(Create("new.example", "new"));
  expect_busy("new.example");
  Submitted("delete_account { domain: 'example.com' }");
  expect_busy("example.com");
  EXPECT_EQ(Refusal("delete_account { domain: 'example.com' }"),
            "FAILED_PRECONDITION ACCOUNT_BUSY");
  EXPECT_EQ(Refusal(Create("example.com", "other")), "ALREADY_EXISTS ACCOUNT_EXISTS");
  EXPECT_EQ(Refusal(Create("other.example", "exampleco")), "ALREADY_EXISTS USER_IN_USE");
}

TEST_F(ClusterRefusalTest, AddressesOfAccounts) {
  EXPECT_EQ(Refusal("remove_account_address { domain: 'example.com' address: '203.0.113.10' }"),
            "FAILED_PRECONDITION ADDRESS_IN_USE")
      << "its only one";
  EXPECT_EQ(Refusal("unbind_address { address: '203.0.113.10' }"),
            "FAILED_PRECONDITION ADDRESS_IN_USE");
  for (int i = 1; i < 64; ++i) {
    Do(absl::StrCat("add_account_address { domain: 'example.com' address: '198.51.100.", i, "' }"));
  }
  EXPECT_EQ(Refusal("add_account_address { domain: 'example.com' address: '198.51.100.64' }"),
            "INVALID_ARGUMENT INVALID_ARGUMENT");
  EXPECT_EQ(Refusal("add_account_address { domain: 'example.com' address: '198.51.100.63' }"), "OK")
      << "one it has";
}

TEST_F(ClusterRefusalTest, AddressThatIsJustBeingTakenOff) {
  Do("add_account_address { domain: 'example.com' address: '203.0.113.11' }");
  const Command removal =
      Submitted("remove_account_address { domain: 'example.com' address: '203.0.113.11' }");
  const std::string claim = Create("a.example", "a", "203.0.113.11");
  const std::string bind = "bind_address { address: '203.0.113.11' }";
  EXPECT_EQ(Refusal(claim), "FAILED_PRECONDITION ADDRESS_IN_USE") << "its bind could come first";
  EXPECT_EQ(Refusal(bind), "FAILED_PRECONDITION ADDRESS_IN_USE");
  EXPECT_EQ(Refusal("add_account_address { domain: 'example.com' address: '203.0.113.11' }"), "OK")
      << "the same key: in order";
  Do("remove_account_address { domain: 'example.com' address: '203.0.113.11' }");
  Finish(removal, Outcome::kSucceeded);
  // The one that added it again.
  EXPECT_EQ(Refusal(claim), "OK");
}

TEST_F(ClusterRefusalTest, AddressOfAnAccountThatIsBeingDeleted) {
  const Command deletion = Submitted("delete_account { domain: 'example.com' }");
  const std::string claim = Create("a.example", "a", "203.0.113.10");
  EXPECT_EQ(Refusal(claim), "FAILED_PRECONDITION ADDRESS_IN_USE");
  Finish(deletion, Outcome::kSucceeded);
  EXPECT_EQ(Refusal(claim), "OK");
}

TEST_F(ClusterRefusalTest, AddressThatIsBeingUnbound) {
  Do("bind_address { address: '203.0.113.11' }");
  const Command unbind = Submitted("unbind_address { address: '203.0.113.11' }");
  const std::string claim = Create("a.example", "a", "203.0.113.11");
  EXPECT_EQ(Refusal(claim), "FAILED_PRECONDITION ADDRESS_IN_USE");
  Finish(unbind, Outcome::kSucceeded);
  EXPECT_EQ(Refusal(claim), "OK");
}

TEST_F(ClusterRefusalTest, SharesOnWhichAccountsLive) {
  const std::string mount = "mount_share { share: 'home' source: '10.0.0.1:/chroot/home' ";
  ExpectRefused({
      {"mount_share { share: 'home' source: 'filer:/home' mount_point: '/home' }",
       "FAILED_PRECONDITION SHARE_IN_USE", "share"},
      {mount + "mount_point: '/srv/home' }", "FAILED_PRECONDITION SHARE_IN_USE", "share"},
      {"mount_share { share: 'www' source: 'filer:/w' mount_point: '/home' }",
       "FAILED_PRECONDITION SHARE_IN_USE", "mount_point"},
      {"unmount_share { share: 'home' }", "FAILED_PRECONDITION SHARE_IN_USE", "share"},
  });
  EXPECT_EQ(Refusal(mount + "mount_point: '/home' nfs_version: '4.1' }"), "OK");
  EXPECT_EQ(Refusal("unmount_share { share: 'home' }", {"web1"}), "OK");
}

TEST_F(ClusterRefusalTest, NoAccountOnAShareThatIsBeingUnmounted) {
  Do("delete_account { domain: 'example.com' }");
  const Command unmount = Submitted("unmount_share { share: 'home' }");
  EXPECT_EQ(Refusal(Create("a.example", "a")), "FAILED_PRECONDITION SHARE_NOT_MOUNTED");
  Finish(unmount, Outcome::kSucceeded);
  EXPECT_EQ(Refusal(Create("a.example", "a")), "FAILED_PRECONDITION UNKNOWN_SHARE");
}

class OneNodeTest : public ClusterHarness {
 protected:
  OneNodeTest() {
    AddNode("only", "[APP, STORAGE]", "10.0.0.1");
    Join("only");
  }
};

TEST_F(OneNodeTest, HomesNeedAShareOnceThereIsASecondNode) {
  EXPECT_EQ(Work(Create("a.example", "a")).create_account().account().home(), "/home/a");
  EXPECT_FALSE(Work(Create("b.example", "b")).create_account().account().has_share());
  AddNode("web1", "[APP]", "10.0.0.11");
  const absl::Status refused = Plan(Create("c.example", "c")).status();
  EXPECT_EQ(CodeOf(refused), "FAILED_PRECONDITION UNKNOWN_SHARE");
  EXPECT_THAT(std::string(refused.message()), testing::StartsWith("share: the account is for 2"));
  EXPECT_THAT(RemedyOf(refused), testing::HasSubstr("hostq share mount home"));
  EXPECT_EQ(Refusal("mount_share { share: 'home' source: 'filer:/home' mount_point: '/home' }"),
            "FAILED_PRECONDITION SHARE_IN_USE")
      << "it would hide the home of a.example";
  Do("mount_share { share: 'www' source: 'filer:/www' mount_point: '/srv/www' }");
  EXPECT_EQ(Work(Create("c.example", "c")).create_account().account().home(), "/srv/www/c");
}

TEST_F(ClusterRefusalTest, SetQuotaWithoutStorageNodeNeedsANode) {
  Stored(*cluster_->RemoveNode("storage1", 0, true, "root"));
  EXPECT_EQ(Refusal("set_quota { domain: 'example.com' }"), "FAILED_PRECONDITION NO_TARGETS");
  EXPECT_EQ(Refusal("set_quota { domain: 'example.com' }", {"web1"}), "OK");
}

// Where the fixed remedy of the reason would mislead.
TEST_F(ClusterRefusalTest, OwnRemediesSayWhatHelpsHere) {
  const struct {
    std::string spec;
    std::string remedy;
    std::vector<std::string> nodes = {};
  } kRows[] = {
      {"bind_address { address: '203.0.113.60' }",
       "name nodes of role app: hostq node list; or name none",
       {"storage1"}},
      {"remove_account_address { domain: 'example.com' address: '203.0.113.10' }",
       "give it another one first: hostq account add-address example.com ADDRESS; or delete the "
       "account: hostq account delete example.com"},
      {"remove_account_address { domain: 'example.com' address: '203.0.113.77' }",
       "see its addresses: hostq account show example.com"},
      {"unbind_address { address: '203.0.113.10' }",
       "take it from the account first: hostq account remove-address example.com 203.0.113.10"},
      {"mount_share { share: 'x' source: 'filer:/x' mount_point: '/home' }",
       "choose another mount point; or unmount that share first: hostq share unmount home"},
      {"mount_share { share: 'x' source: 'filer' mount_point: '/x' }",
       "write the source as HOST:/PATH, such as 10.0.0.1:/chroot/home"},
      {"mount_share { share: 'x' source: 'filer:/x' mount_point: '/etc' }",
       "choose a directory for the share, such as /home"},
      {Create("a.example", "a", "203.0.113.10", "uid: 0"),
       "choose one of 20000 to 20009, or none: the manager then picks the next free one"},
  };
  for (const auto& row : kRows) {
    const absl::Status status = Plan(row.spec, row.nodes).status();
    EXPECT_EQ(RemedyOf(status), row.remedy) << row.spec << ": " << status;
  }
  EXPECT_TRUE(absl::StrContains(
      Plan("mount_share { share: 'x' source: 'filer:/x' mount_point: '/home' }").status().message(),
      "where share home ("));
}

TEST_F(ClusterRefusalTest, SizeThatIsTooLargeOnlyWhenRoundedUpSaysSo) {
  const absl::Status rounded =
      Plan("set_account_quota { domain: 'example.com' quota_bytes: 4398046511103 }").status();
  EXPECT_TRUE(absl::StrContains(rounded.message(), "(rounded up to whole KiB)")) << rounded;
  const absl::Status whole =
      Plan("set_account_quota { domain: 'example.com' quota_bytes: 4398046511104 }").status();
  EXPECT_FALSE(absl::StrContains(whole.message(), "rounded")) << whole;
}

}  // namespace
}  // namespace hostq::manager
