// hostq_attack SOCKET: what a taken-over agent would try. Speaks to a real executor as an agent
// does, and asks it for what no policy and not this node's (tests/system/policy.sh) allows, then
// for nonsense and for too much. Prints an attack a line, with what it was answered; ends with "N
// passed, N failed" and exits 0 only if everything was refused and the executor still serves.
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/actions/action.h"
#include "agent/executor/convert.h"
#include "agent/executor/frame.h"
#include "common/base/reason.h"
#include "common/base/text.h"
#include "hostq/agent/v1/executor.pb.h"
#include "hostq/agent/v1/work.pb.h"

namespace hostq::agent {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(60);

// --- the connection ---

int Connect(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) return fd;
  perror(path.c_str());
  exit(2);
}

class Attacker {
 public:
  explicit Attacker(const std::string& path) : socket_(Connect(path)) {}

  void Ask(const std::string& work, const Roles& roles, int index, const std::string& name,
           absl::Duration timeout = absl::Seconds(30)) {
    v1::ExecutorRequest request;
    v1::RunStep& step = *request.mutable_run_step();
    step.set_id(++last_id_);
    step.set_resource_key("attack");
    step.set_work(work);
    if (roles.app) step.add_roles("app");
    if (roles.storage) step.add_roles("storage");
    step.set_step_index(index);
    step.set_step_name(name);
    *step.mutable_timeout() = ToProto(timeout);
    open_ = socket_.Send(request).ok() && open_;
  }
  // The result of what was asked last; a failure without a reason if there is none.
  v1::StepResult Answer() {
    const absl::Time end = absl::Now() + kPatience;
    while (open_ && absl::Now() < end) {
      std::vector<std::string> frames;
      open_ = socket_.Read(frames).ok() && socket_.Flush().ok();
      for (const std::string& frame : frames) {
        v1::ExecutorReport report;
        if (!report.ParseFromString(frame) || report.step_done().id() != last_id_) continue;
        return report.step_done().result();
      }
      pollfd fd{socket_.fd(), static_cast<short>(socket_.wants_write() ? POLLIN | POLLOUT : POLLIN),
                0};
      poll(&fd, 1, 100);
    }
    v1::StepResult none;
    none.set_message(open_ ? "no answer" : "the connection was closed");
    return none;
  }
  bool closed() {
    (void)Answer();
    return !open_;
  }

 private:
  FrameSocket socket_;
  uint64_t last_id_ = 0;
  bool open_ = true;
};

// --- the attacks ---

struct Attack {
  std::string name;
  v1::Work work;
  // Otherwise it must be refused before any step: by the policy, or as no sense at all.
  std::set<Reason> refusals = {Reason::kNotAllowedByPolicy, Reason::kBadParameters};
  Roles roles = {true, true};
};

v1::Account GoodAccount() {
  v1::Account account;
  account.set_domain("attack.example");
  account.set_user("attacker");
  account.set_uid(20900);
  account.set_gid(20900);
  account.set_home("/home/attacker");
  account.set_shell("/bin/bash");
  account.set_generation(1);
  return account;
}

v1::Share GoodShare() {
  v1::Share share;
  share.set_name("home");
  share.set_server("203.0.113.1");
  share.set_export_path("/chroot/home");
  share.set_mount_point("/home");
  share.set_nfs_version("4.2");
  return share;
}

Attack Account(const std::string& name, const std::function<void(v1::Account&)>& change) {
  Attack attack{name, {}};
  v1::Account& account = *attack.work.mutable_create_account()->mutable_account();
  account = GoodAccount();
  change(account);
  return attack;
}

Attack Share(const std::string& name, const std::function<void(v1::Share&)>& change) {
  Attack attack{name, {}};
  v1::Share& share = *attack.work.mutable_mount_share()->mutable_share();
  share = GoodShare();
  change(share);
  attack.roles.storage = false;
  return attack;
}

void AddShares(std::vector<Attack>& attacks) {
  for (const char* server : {"203.0.113.9", "evil.example", "", "203.0.113.1,exec", "-o", "a b",
                             "203.0.113.1:/chroot/home 203.0.113.9"}) {
    attacks.push_back(Share(absl::StrCat("mount from server '", server, "'"),
                            [&](v1::Share& share) { share.set_server(server); }));
  }
  for (const char* path :
       {"/", "/etc", "/chroot", "/chroot/home/../..", "chroot/home", "/chroot/home\n"}) {
    attacks.push_back(Share(absl::StrCat("mount of ", path),
                            [&](v1::Share& share) { share.set_export_path(path); }));
  }
  for (const char* path :
       {"/", "/etc", "/usr/bin", "/etc/cron.d", "/root", "/proc", "/run", "/home/..",
        "/home/../etc", "//etc", "home", "/home/attacker", "/srv", "/home\x01"}) {
    attacks.push_back(Share(absl::StrCat("mount at ", path),
                            [&](v1::Share& share) { share.set_mount_point(path); }));
    Attack unmount{absl::StrCat("unmount of ", path), {}};
    *unmount.work.mutable_unmount_share()->mutable_share() =
        attacks.back().work.mount_share().share();
    attacks.push_back(unmount);
  }
  for (const char* name : {"../../etc/passwd", "", "a/b", "home\n"}) {
    attacks.push_back(Share(absl::StrCat("share named '", name, "'"),
                            [&](v1::Share& share) { share.set_name(name); }));
  }
  attacks.push_back(Share("options in the version",
                          [](v1::Share& share) { share.set_nfs_version("4.2,suid,dev"); }));
}

void AddAddresses(std::vector<Attack>& attacks) {
  for (const char* address :
       {"198.51.100.1", "127.0.0.1", "127.0.0.2", "0.0.0.0", "224.0.0.1", "255.255.255.255", "::1",
        "::", "ff02::1", "fe80::1", "2001:db8:ffff::1", "203.0.113.10/8", "203.0.113.10\n",
        "203.0.113", ""}) {
    Attack bind{absl::StrCat("bind ", address), {}};
    bind.work.mutable_bind_address()->set_address(address);
    attacks.push_back(bind);
    Attack unbind{absl::StrCat("unbind ", address), {}};
    unbind.work.mutable_unbind_address()->set_address(address);
    attacks.push_back(unbind);
    attacks.push_back(Account(absl::StrCat("account with address ", address),
                              [&](v1::Account& account) { account.add_addresses(address); }));
    Attack deletion{absl::StrCat("delete an account and unbind ", address), {}};
    *deletion.work.mutable_delete_account()->mutable_account() = GoodAccount();
    deletion.work.mutable_delete_account()->add_addresses_to_unbind(address);
    attacks.push_back(deletion);
  }
}

void AddUsers(std::vector<Attack>& attacks) {
  for (const uint32_t uid : {0U, 1U, 999U, 1000U, 19999U, 60000U, 65534U, 4294967295U}) {
    attacks.push_back(Account(absl::StrCat("user with uid ", uid),
                              [&](v1::Account& account) { account.set_uid(uid); }));
    attacks.push_back(Account(absl::StrCat("user with gid ", uid),
                              [&](v1::Account& account) { account.set_gid(uid); }));
    Attack quota{absl::StrCat("quota of uid ", uid), {}};
    *quota.work.mutable_set_quota()->mutable_account() =
        attacks.back().work.create_account().account();
    quota.work.mutable_set_quota()->mutable_account()->set_uid(uid);
    attacks.push_back(quota);
  }
  for (const char* name : {"root", "daemon", "hostq-agent", "hostq", "www-data", "sshd", "-o",
                           "a b", "x:0:0", "Attacker", "", "../root", "attacker\n"}) {
    attacks.push_back(Account(absl::StrCat("user named '", name, "'"),
                              [&](v1::Account& account) { account.set_user(name); }));
    for (const bool suspend : {true, false}) {
      Attack other{absl::StrCat(suspend ? "suspend '" : "delete '", name, "'"), {}};
      v1::Account& account = suspend ? *other.work.mutable_suspend_account()->mutable_account()
                                     : *other.work.mutable_delete_account()->mutable_account();
      account = attacks[attacks.size() - (suspend ? 1 : 2)].work.create_account().account();
      attacks.push_back(other);
    }
  }
  for (const char* home :
       {"/etc", "/root", "/", "/home", "/home/../etc", "/home/./a", "/usr/attacker",
        "/srv/attacker", "home/attacker", "/home/a:b", "/home/a\nb"}) {
    attacks.push_back(Account(absl::StrCat("home at ", home),
                              [&](v1::Account& account) { account.set_home(home); }));
    Attack deletion{absl::StrCat("home taken away from ", home), {}};
    *deletion.work.mutable_delete_account()->mutable_account() =
        attacks.back().work.create_account().account();
    attacks.push_back(deletion);
  }
  for (const char* shell : {"/tmp/shell", "bash", "/bin/bash\n", "/bin/bash -c id", ""}) {
    attacks.push_back(Account(absl::StrCat("shell ", shell),
                              [&](v1::Account& account) { account.set_shell(shell); }));
  }
  for (const char* domain : {"../../etc", "a\nb", "a b", "$(id)", ""}) {
    attacks.push_back(Account(absl::StrCat("domain '", domain, "'"),
                              [&](v1::Account& account) { account.set_domain(domain); }));
  }
  attacks.push_back(
      Account("negative quota", [](v1::Account& account) { account.set_quota_bytes(-1); }));
}

// What the policy would allow, had this node not an owner of that name.
void AddOthersUsers(std::vector<Attack>& attacks) {
  const std::set<Reason> conflicts = {Reason::kUidTaken, Reason::kUserNameTaken, Reason::kGidTaken};
  for (const char* what : {"create", "suspend", "delete"}) {
    Attack attack{absl::StrCat(what, " somebody else's user bob"), {}, conflicts, {true, false}};
    v1::Account* account = what[0] == 'c' ? attack.work.mutable_create_account()->mutable_account()
                           : what[0] == 's'
                               ? attack.work.mutable_suspend_account()->mutable_account()
                               : attack.work.mutable_delete_account()->mutable_account();
    *account = GoodAccount();
    account->set_user("bob");
    *account->mutable_share() = GoodShare();
    attacks.push_back(attack);
  }
}

class Report {
 public:
  void Add(const std::string& name, bool good, const std::string& answer) {
    std::printf("  %s %-44s %s\n", good ? "ok  " : "FAIL", Printable(name).c_str(), answer.c_str());
    ++(good ? passed_ : failed_);
  }
  int End() const {
    std::printf("\n%d passed, %d failed\n", passed_, failed_);
    return failed_ == 0 ? 0 : 1;
  }

 private:
  int passed_ = 0, failed_ = 0;
};

std::string Shown(const v1::StepResult& result) {
  return absl::StrCat(NameOf(static_cast<Reason>(result.reason())), ": ",
                      Printable(result.message(), 120));
}

// Its steps under the node's policy are not known to the attacker: refused must be all of it.
void TryRefused(const std::string& socket, const Attack& attack, Report& report) {
  Attacker attacker(socket);
  attacker.Ask(attack.work.SerializeAsString(), attack.roles, 0, "attack");
  const v1::StepResult result = attacker.Answer();
  report.Add(attack.name, attack.refusals.contains(static_cast<Reason>(result.reason())),
             Shown(result));
}

// The steps up to the one that fails; none may have changed anything.
void TryConflict(const std::string& socket, const Attack& attack, Report& report) {
  Policy policy;
  policy.hooks.directory = "/etc/hostq/hooks.d";  // as the node has it, for the steps' numbers
  const auto steps = PlanSteps(attack.work, attack.roles, policy);
  if (!steps.ok()) return report.Add(attack.name, false, steps.status().ToString());
  Attacker attacker(socket);
  for (size_t i = 0; i < steps->size(); ++i) {
    if ((*steps)[i].name == "hooks") continue;
    attacker.Ask(attack.work.SerializeAsString(), attack.roles, static_cast<int>(i),
                 (*steps)[i].name);
    const v1::StepResult result = attacker.Answer();
    if (result.reason() == hostq::v1::Reason::CODE_UNSPECIFIED && !result.changed()) continue;
    return report.Add(attack.name, attack.refusals.contains(static_cast<Reason>(result.reason())),
                      absl::StrCat((*steps)[i].name, ": ", Shown(result)));
  }
  report.Add(attack.name, true, "nothing was there to do");
}

// --- nonsense, and too much ---

v1::Work Harmless() {
  v1::Work work;
  work.mutable_preflight();
  return work;
}

bool Serves(const std::string& socket) {
  Attacker agent(socket);
  const auto steps = PlanSteps(Harmless(), {true, false}, Policy());
  agent.Ask(Harmless().SerializeAsString(), {true, false}, 0, (*steps)[0].name);
  return agent.Answer().name() == (*steps)[0].name;
}

void TryNonsense(const std::string& socket, Report& report) {
  const std::string work = Harmless().SerializeAsString();
  const auto refused = [&](const std::string& name, const std::string& bytes, int index,
                           const std::string& step) {
    Attacker attacker(socket);
    attacker.Ask(bytes, {true, false}, index, step);
    const v1::StepResult result = attacker.Answer();
    report.Add(name, result.reason() != hostq::v1::Reason::CODE_UNSPECIFIED, Shown(result));
  };
  refused("work that is none", "\xff\xff\xff", 0, "x");
  refused("no work", "", 0, "x");
  refused("a step that is not there", work, 1000, "x");
  refused("a step before the first", work, -1, "x");
  refused("a step of another name", work, 0, "x");
  const auto closes = [&](const std::string& name, const std::string& bytes) {
    const int fd = Connect(socket);
    const bool sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0;
    shutdown(fd, SHUT_WR);
    char byte = 0;
    report.Add(name, sent && read(fd, &byte, 1) <= 0 && Serves(socket),
               "the connection was closed");
    close(fd);
  };
  closes("a length beyond the limit", "\xff\xff\xff\xff");
  closes("garbage", std::string("\x10\0\0\0", 4) + std::string(16, '\xee'));
  closes("half a message", std::string("\x10\0\0\0ab", 6));
  Attacker flood(socket);
  for (int i = 0; i < 5000; ++i) flood.Ask(work, {true, false}, 0, "x");
  report.Add("5000 steps at once", flood.closed() && Serves(socket), "the connection was closed");
  for (int i = 0; i < 200; ++i) Attacker connection(socket);
  report.Add("200 connections", Serves(socket), "it serves the newest");
}

int Main(const std::string& socket) {
  std::vector<Attack> attacks, conflicts;
  AddShares(attacks);
  AddAddresses(attacks);
  AddUsers(attacks);
  AddOthersUsers(conflicts);
  Report report;
  for (const Attack& attack : attacks) TryRefused(socket, attack, report);
  for (const Attack& attack : conflicts) TryConflict(socket, attack, report);
  TryNonsense(socket, report);
  return report.End();
}

}  // namespace
}  // namespace hostq::agent

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: hostq_attack SOCKET\n");
    return 2;
  }
  return hostq::agent::Main(argv[1]);
}
