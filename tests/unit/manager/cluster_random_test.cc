// Random requests, endings, restarts and node changes, from a seed: nothing crashes, a refused
// request changes nothing (the harness compares the rows after every call), and what must always
// hold does.
#include <set>

#include "cluster_harness.h"
#include "common/base/random.h"

namespace hostq::manager {
namespace {

class ClusterRandomTest : public ClusterHarness, public testing::WithParamInterface<int> {
 protected:
  ClusterRandomTest() : random_(static_cast<uint64_t>(GetParam())) {
    ThreeNodes();
    AddNode("lb", "[BALANCER]", "10.0.0.9");
    Join("lb");
  }

  size_t Below(size_t n) { return static_cast<size_t>(random_.Next() % n); }
  template <typename T>
  T Any(const std::vector<T>& values) {
    return values[Below(values.size())];
  }

  std::string Garbage() {
    std::string text;
    for (size_t n = Below(40); n > 0; --n) text += static_cast<char>(random_.Next());
    return text;
  }
  std::string Domain() {
    if (Below(20) == 0) return Garbage();
    return Any<std::string>(
        {"a.example", "b.example", "a.example", "B.example", "c.example", "bad"});
  }
  std::string User() {
    if (Below(20) == 0) return Garbage();
    return Any<std::string>({"a", "b", "c", "d", "e", "f", "root"});
  }
  std::string Address() {
    if (Below(20) == 0) return Garbage();
    return Any<std::string>({"203.0.113.1", "203.0.113.2", "203.0.113.3", "2001:db8::1",
                             "2001:DB8:0::1", "10.0.0.1", "10.0.0.11", "0.0.0.0", "224.0.0.1"});
  }
  int64_t Quota() { return Any<int64_t>({0, 1024, 5000, 10 << 20, 20 << 20, 1, -1, INT64_MAX}); }
  std::string Share() { return Any<std::string>({"home", "www", "Bad", Garbage()}); }
  std::vector<std::string> Nodes() {
    std::vector<std::string> nodes;
    if (Below(6) != 0) return nodes;
    for (size_t n = 1 + Below(2); n > 0; --n) {
      nodes.push_back(Any<std::string>({"web1", "web2", "web3", "storage1", "web9", Garbage()}));
    }
    return nodes;
  }

  v1::CommandSpec Spec() {
    v1::CommandSpec spec;
    switch (Below(15)) {
      case 0: {
        auto& create = *spec.mutable_create_account();
        create.set_domain(Domain());
        create.set_user(User());
        create.set_address(Address());
        create.set_quota_bytes(Quota());
        create.set_uid(Any<uint32_t>({0, 0, 0, 20003, 20009, 5}));
        break;
      }
      case 1:
        spec.mutable_suspend_account()->set_domain(Domain());
        spec.mutable_suspend_account()->set_note(Garbage());
        break;
      case 2:
        spec.mutable_unsuspend_account()->set_domain(Domain());
        break;
      case 3:
        spec.mutable_delete_account()->set_domain(Domain());
        break;
      case 4:
        spec.mutable_set_account_quota()->set_domain(Domain());
        spec.mutable_set_account_quota()->set_quota_bytes(Quota());
        break;
      case 5:
      case 6:
        spec.mutable_add_account_address()->set_domain(Domain());
        spec.mutable_add_account_address()->set_address(Address());
        break;
      case 7:
      case 8:
        spec.mutable_remove_account_address()->set_domain(Domain());
        spec.mutable_remove_account_address()->set_address(Address());
        break;
      case 9: {
        auto& mount = *spec.mutable_mount_share();
        mount.set_share(Share());
        mount.set_source(Any<std::string>({"filer:/a", "filer:/b", "[2001:db8::9]:/", Garbage()}));
        mount.set_mount_point(Any<std::string>({"/home", "/srv/www", "/etc", Garbage()}));
        mount.set_nfs_version(Any<std::string>({"", "3", "4.1", "x"}));
        break;
      }
      case 10:
        spec.mutable_unmount_share()->set_share(Share());
        break;
      case 11:
        spec.mutable_set_quota()->set_domain(Domain());
        spec.mutable_set_quota()->set_quota_bytes(Quota());
        break;
      case 12:
        spec.mutable_bind_address()->set_address(Address());
        break;
      case 13:
        spec.mutable_set_balancing()->set_scheduler(Any<std::string>({"rr", "wlc", "", "x"}));
        break;
      default:
        if (Below(2) == 0) {
          spec.mutable_unbind_address()->set_address(Address());
        } else {
          spec.mutable_preflight();
        }
    }
    return spec;
  }

  // --- the queue, as far as it matters here: order on a key and node, supersession ---

  // Waiting tasks of older commands that this one makes pointless end.
  void Supersede(const PlannedCommand& plan, const Command& newer) {
    for (Command& older : live_) {
      if (older.resource_key != newer.resource_key) continue;
      const bool named =
          std::any_of(plan.supersedes.begin(), plan.supersedes.end(),
                      [&](const std::string& kind) { return kind == "*" || kind == older.kind; });
      for (Task& task : older.tasks) {
        const bool waiting = task.outcome == Outcome::kNone && task.attempt == 0;
        if (named && waiting && FindTask(newer, task.node) != nullptr) {
          task.outcome = Outcome::kSuperseded;
        }
      }
    }
  }

  static const Task* FindTask(const Command& command, const std::string& node) {
    for (const Task& task : command.tasks) {
      if (task.node == node) return &task;
    }
    return nullptr;
  }

  // Nothing older on its key is unfinished on that node.
  bool InFront(size_t at, const std::string& node) {
    for (size_t i = 0; i < at; ++i) {
      if (live_[i].resource_key != live_[at].resource_key) continue;
      const Task* task = FindTask(live_[i], node);
      if (task != nullptr && task->outcome == Outcome::kNone) return false;
    }
    return true;
  }

  // One task is sent, or ends.
  void MoveOne(bool well) {
    if (live_.empty()) return;
    const size_t at = Below(live_.size());
    Task& task = live_[at].tasks[Below(live_[at].tasks.size())];
    if (task.outcome != Outcome::kNone) return;
    if (task.attempt == 0 && (well || Below(3) != 0)) {
      if (InFront(at, task.node)) task.attempt = 1;
    } else if (task.attempt == 0) {
      // Who withdraws a table of its own means it.
      if (live_[at].kind == "set_balancing") return;
      task.outcome = Any<Outcome>({Outcome::kCancelled, Outcome::kExpired});
    } else if (task.node == "lb") {
      task.outcome = Outcome::kSucceeded;
      agent::v1::Work work;
      work.ParseFromString(live_[at].work);
      if (work.balancing().revision() > table_.revision()) table_ = work.balancing();
    } else {
      task.outcome = well || Below(2) != 0 ? Outcome::kSucceeded : Outcome::kFailed;
    }
  }

  void CancelOne() {
    if (live_.empty()) return;
    Command& command = live_[Below(live_.size())];
    if (command.kind == "set_balancing") return;
    for (Task& task : command.tasks) {
      if (task.outcome == Outcome::kNone && task.attempt == 0) task.outcome = Outcome::kCancelled;
    }
  }

  void SubmitOwn() {
    for (const PlannedCommand& plan : std::exchange(own_, {})) {
      const Command command = Submitted(plan);
      Supersede(plan, command);
      live_.push_back(command);
    }
  }

  void FinishWhatIsDone() {
    for (size_t i = 0; i < live_.size();) {
      const bool done = std::all_of(live_[i].tasks.begin(), live_[i].tasks.end(),
                                    [](const Task& t) { return t.outcome != Outcome::kNone; });
      if (!done) {
        ++i;
        continue;
      }
      const Command command = live_[i];
      live_.erase(live_.begin() + static_cast<std::ptrdiff_t>(i));
      Finish(command);
      SubmitOwn();
    }
  }

  void ChangeNodes() {
    switch (Below(4)) {
      case 0:
        if (cluster_->FindNode("web3") == nullptr) return AddNode("web3", "[APP]", "10.0.0.13");
        if (cluster_->FindNode("web3")->node().has_join_time()) return;
        return Join("web3");
      case 1:
        if (cluster_->FindNode("web3") == nullptr) return;
        Stored(*cluster_->RemoveNode("web3", 1, true, "root"));
        for (Command& command : live_) {
          for (Task& task : command.tasks) {
            if (task.node == "web3" && task.outcome == Outcome::kNone) {
              task.outcome = Outcome::kCancelled;
            }
          }
        }
        return;
      case 2:
        return Stored(*cluster_->PauseNode("web1", "x", "root", now_));
      default:
        return Stored(*cluster_->ResumeNode("web1", "root"));
    }
  }

  static std::set<std::string> Unbinds(const Command& command) {
    agent::v1::Work work;
    work.ParseFromString(command.work);
    std::set<std::string> addresses(work.delete_account().addresses_to_unbind().begin(),
                                    work.delete_account().addresses_to_unbind().end());
    const auto& removal = work.remove_account_address();
    if (removal.unbind()) addresses.insert(removal.address());
    if (work.has_unbind_address()) addresses.insert(work.unbind_address().address());
    return addresses;
  }

  // There is no order between keys: an address that somebody begins to use must not be in a command
  // on another key that takes it off.
  void ExpectNobodyTakesItOff(const Command& newer) {
    agent::v1::Work work;
    work.ParseFromString(newer.work);
    std::string address = work.add_account_address().address() + work.bind_address().address();
    if (work.has_create_account()) address = work.create_account().account().addresses(0);
    if (address.empty()) return;
    for (const Command& older : live_) {
      EXPECT_TRUE(older.resource_key == newer.resource_key || !Unbinds(older).contains(address))
          << newer.kind << " " << newer.resource_key << " while " << older.kind << " "
          << older.resource_key << ": " << address;
    }
  }

  void Request() {
    const v1::CommandSpec spec = Spec();
    const std::vector<std::string> nodes_named = Nodes();
    // What is only tried leaves everything as it is, and tells what follows.
    const auto tried = cluster_->TryPlan(spec, nodes_named, now_);
    ExpectInStep();
    const auto plan = Plan(spec, nodes_named);
    ASSERT_EQ(tried.status(), plan.status());
    if (plan.ok()) {
      EXPECT_EQ(tried->work, plan->work);
    }
    if (!plan.ok()) {
      EXPECT_NE(ReasonOf(plan.status()), Reason::kNone) << plan.status();
      return;
    }
    ++accepted_;
    std::set<std::string> nodes;
    for (const PlannedTask& task : plan->tasks) {
      EXPECT_NE(cluster_->FindNode(task.node), nullptr);
      EXPECT_TRUE(nodes.insert(task.node).second) << "two tasks on " << task.node;
    }
    const Command command = Submitted(*plan);
    ExpectNobodyTakesItOff(command);
    Supersede(*plan, command);
    live_.push_back(command);
  }

  void ExpectSound() {
    std::set<uint32_t> uids;
    std::set<std::string> users, homes, keys;
    for (const auto& [domain, row] : cluster_->accounts()) {
      const v1::Account& account = row.account();
      EXPECT_EQ(account.domain(), domain);
      EXPECT_TRUE(uids.insert(account.uid()).second) << domain;
      EXPECT_TRUE(users.insert(account.user()).second) << domain;
      EXPECT_TRUE(homes.insert(account.home()).second) << domain;
      EXPECT_GE(account.uid(), 20000u);
      EXPECT_LE(account.uid(), 20009u);
      EXPECT_GE(account.addresses_size(), 1) << domain;
      EXPECT_EQ(
          std::set<std::string>(account.addresses().begin(), account.addresses().end()).size(),
          static_cast<size_t>(account.addresses_size()))
          << domain;
      EXPECT_LE(seen_[domain], account.generation()) << domain << " went back";
      seen_[domain] = account.generation();
      if (!row.share().empty()) {
        EXPECT_NE(cluster_->FindShare(row.share()), nullptr) << domain;
      }
    }
    std::set<std::string> mount_points;
    for (const auto& [name, row] : cluster_->shares()) {
      EXPECT_TRUE(mount_points.insert(row.share().mount_point()).second) << name;
    }
  }

  // Nothing is under way: nothing says so.
  void ExpectQuiet() {
    for (const auto& [domain, row] : cluster_->accounts()) {
      EXPECT_EQ(row.suspend_generation(), 0u) << domain;
      EXPECT_EQ(row.quota_generation(), 0u) << domain;
      EXPECT_EQ(row.delete_generation(), 0u) << domain;
      EXPECT_EQ(row.address_changes_size(), 0) << domain;
      EXPECT_EQ(row.unbinding_size(), 0) << domain;
    }
    for (const auto& [name, row] : cluster_->shares()) {
      EXPECT_EQ(row.unmounting_size(), 0) << name;
      EXPECT_FALSE(row.unwanted()) << name;
    }
    for (const auto& [address, row] : cluster_->addresses()) {
      EXPECT_EQ(row.unbinding_size(), 0) << address;
      EXPECT_TRUE(row.everywhere() || row.nodes_size() > 0) << address;
    }
  }

  SeededRandom random_;
  std::vector<Command> live_;
  std::map<std::string, uint64_t> seen_;  // highest generation, by domain
  agent::v1::BalancingTable table_;       // the newest that the balancer was given
  int accepted_ = 0;
};

TEST_P(ClusterRandomTest, AlwaysSound) {
  for (int step = 0; step < 1500 && !HasFailure(); ++step) {
    const size_t what = Below(40);
    if (what == 0) {
      Reload();
    } else if (what == 1) {
      ChangeNodes();
    } else if (what == 2) {
      CancelOne();
    } else if (what < 25) {
      MoveOne(Below(4) != 0);
    } else {
      Request();
    }
    SubmitOwn();
    FinishWhatIsDone();
    ExpectSound();
  }
  while (!live_.empty() && !HasFailure()) {
    MoveOne(true);
    FinishWhatIsDone();
  }
  ExpectSound();
  ExpectQuiet();
  const v1::Balancing wanted = cluster_->ShowBalancing();
  EXPECT_EQ(absl::StrJoin(table_.addresses(), " "), absl::StrJoin(wanted.addresses(), " "))
      << "whatever came of the commands, the balancer has every address, and no other";
  EXPECT_EQ(table_.settings().scheduler(), wanted.settings().scheduler());
  EXPECT_GT(accepted_, 20) << "too little got through to mean anything";
}

INSTANTIATE_TEST_SUITE_P(Seeds, ClusterRandomTest, testing::Range(1, 61));

}  // namespace
}  // namespace hostq::manager
