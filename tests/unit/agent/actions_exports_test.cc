// Goal: a storage node exports what the newest list says of it, to addresses only, and leaves alone
// what its administrator exports.
#include <gmock/gmock.h>

#include "tests/unit/agent/actions_testing.h"

namespace hostq::agent {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ExportsTest : public ActionTest {
 protected:
  ExportsTest() { storage.address_table = {{"eth0", *IpAddress::Parse(kServer), 24}}; }

  static v1::Work List(uint64_t revision, const std::vector<std::string>& clients) {
    v1::Work work;
    work.mutable_set_exports();
    work.mutable_exports()->set_revision(revision);
    v1::Export& entry = *work.mutable_exports()->add_exports();
    entry.set_server(kServer);
    entry.set_path("/chroot/home");
    for (const std::string& client : clients) entry.add_clients(client);
    return work;
  }
  std::vector<std::string> Own() const {
    std::vector<std::string> out;
    for (const ExportEntry& entry : storage.own_exports) {
      out.push_back(entry.path + " " + entry.client);
    }
    return out;
  }
};

TEST_F(ExportsTest, NewestListCounts) {
  ExpectTwice(List(2, {"10.0.0.11", "2001:db8::11"}), kStorage, storage);
  EXPECT_THAT(Own(), ElementsAre("/chroot/home 10.0.0.11", "/chroot/home 2001:db8::11"));
  EXPECT_THAT(storage.own_exports[0].options, testing::Contains("no_root_squash"));
  const Outcome late = RunWork(List(1, {}), kStorage, storage);
  EXPECT_FALSE(late.changed);
  EXPECT_EQ(Own().size(), 2u);
  ExpectTwice(List(3, {}), kStorage, storage);
  EXPECT_THAT(Own(), IsEmpty());
}

TEST_F(ExportsTest, AdministratorsStaysAndCounts) {
  storage.exports_of_others = {{"/chroot/home", "10.0.0.0/28", {"ro"}}, {"/srv", "*", {"ro"}}};
  const Outcome outcome = RunWork(List(1, {"10.0.0.11", "10.0.0.99"}), kStorage, storage);
  EXPECT_THAT(outcome.steps.at("exports").message, testing::HasSubstr("1 by the administrator"));
  EXPECT_THAT(Own(), ElementsAre("/chroot/home 10.0.0.99"));
  EXPECT_EQ(storage.exports_of_others.size(), 2u);
}

TEST_F(ExportsTest, OnlyWhatIsItsOwn) {
  v1::Work work = List(1, {"10.0.0.11"});
  work.mutable_exports()->mutable_exports(0)->set_server("10.0.0.3");
  EXPECT_EQ(RunWork(work, kStorage, storage).reason, Reason::kNone);
  EXPECT_THAT(Own(), IsEmpty());
  EXPECT_TRUE(PlanSteps(work, kApp, {})->empty());
}

TEST_F(ExportsTest, WithMountingItsServerExports) {
  v1::Work work = Mount();
  *work.mutable_exports() = List(1, {"10.0.0.11"}).exports();
  EXPECT_THAT(RunWork(work, kStorage, storage).order, ElementsAre("mount", "exports"));
  EXPECT_THAT(Own(), ElementsAre("/chroot/home 10.0.0.11"));
}

TEST_F(ExportsTest, PolicyParametersAndFailures) {
  v1::Work work = List(1, {"10.0.0.11"});
  work.mutable_exports()->mutable_exports(0)->set_path("/srv");
  EXPECT_EQ(RunWork(work, kStorage, storage).reason, Reason::kNotAllowedByPolicy);
  Policy policy;
  policy.mount_points = {"/a b"};
  work.mutable_exports()->mutable_exports(0)->set_path("/a b");
  EXPECT_EQ(RunWork(work, kStorage, storage, policy).reason, Reason::kBadParameters);
  EXPECT_EQ(RunWork(List(1, {"*"}), kStorage, storage).reason, Reason::kBadParameters);
  storage.Fail("PutExports", Error(Reason::kShareExportFailed), 1);
  EXPECT_EQ(RunWork(List(1, {"10.0.0.11"}), kStorage, storage).reason, Reason::kShareExportFailed);
  EXPECT_EQ(RunWork(List(1, {"10.0.0.11"}), kStorage, storage).reason, Reason::kNone);
}

}  // namespace
}  // namespace hostq::agent
