// Goal: what the seam does to a real kernel. Method: each test makes its own network and mount
// namespaces, so nothing of the machine changes; without root it says loudly that it did not run.
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "agent/host/child.h"
#include "agent/host/evidence.h"
#include "agent/host/real_host.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

int Shell(const std::string& command) { return std::system(command.c_str()); }

// A directory of the test's own: a tmpfs in a private mount namespace.
constexpr char kScratch[] = "/mnt";

bool NewNamespaces() {
  if (geteuid() != 0 || unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) return false;
  return mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         mount("tmpfs", kScratch, "tmpfs", 0, nullptr) == 0 &&
         mount("sysfs", "/sys", "sysfs", 0, nullptr) == 0;
}

// Each test in a process of its own: namespaces cannot be left again. Tests with veth use a child
// namespace held by a sleeping process.
class KernelTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!NewNamespaces()) {
      std::fprintf(stderr,
                   "SKIPPED LOUDLY: no root or no namespaces: the real kernel was NOT tested\n");
      GTEST_SKIP();
    }
    ASSERT_EQ(Shell("ip link set lo up"), 0);
    RealHostOptions options;
    options.state_directory = std::string(kScratch) + "/state";
    options.run_directory = std::string(kScratch) + "/run";
    options.journal_directory = std::string(kScratch) + "/journal";
    host_ = MakeRealHost(options);
  }
  bool OnLoopback(const IpAddress& address) {
    const auto all = host_->addresses().List();
    EXPECT_TRUE(all.ok()) << all.status();
    for (const InterfaceAddress& one : *all) {
      if (one.interface == "lo" && one.address == address && one.prefix == address.bits()) {
        return true;
      }
    }
    return false;
  }
  std::unique_ptr<Host> host_;
};

TEST_F(KernelTest, AddressComesAndGoesAndTwiceIsFine) {
  for (const char* text : {"203.0.113.10", "2001:db8::5"}) {
    const IpAddress address = *IpAddress::Parse(text);
    EXPECT_TRUE(host_->addresses().RemoveFromLoopback(address).ok());
    EXPECT_FALSE(OnLoopback(address));
    EXPECT_TRUE(host_->addresses().AddToLoopback(address).ok());
    EXPECT_TRUE(host_->addresses().AddToLoopback(address).ok());
    EXPECT_TRUE(OnLoopback(address));
    EXPECT_TRUE(host_->addresses().RemoveFromLoopback(address).ok());
    EXPECT_FALSE(OnLoopback(address));
  }
}

TEST_F(KernelTest, AddressOnAnInterfaceComesAndGoes) {
  ASSERT_EQ(Shell("ip link add v0 type veth peer name v1 && ip addr add 10.9.0.1/24 dev v0 && "
                  "ip link set v0 up && ip link set v1 up"),
            0);
  const auto on_v0 = [&](const IpAddress& address) {
    const auto all = host_->addresses().List();
    EXPECT_TRUE(all.ok()) << all.status();
    return std::any_of(all->begin(), all->end(), [&](const InterfaceAddress& one) {
      return one.interface == "v0" && one.address == address && one.prefix == address.bits();
    });
  };
  for (const char* text : {"203.0.113.10", "2001:db8::5"}) {
    const IpAddress address = *IpAddress::Parse(text);
    for (int twice = 0; twice < 2; ++twice) {
      const absl::Status added = host_->addresses().AddToInterface("v0", address);
      EXPECT_TRUE(added.ok()) << added;
      EXPECT_TRUE(on_v0(address)) << text;
    }
    for (int twice = 0; twice < 2; ++twice) {
      EXPECT_TRUE(host_->addresses().RemoveFromInterface("v0", address).ok());
      EXPECT_FALSE(on_v0(address)) << text;
    }
  }
  // It works at once, and this machine does not use it for its own connections.
  ASSERT_TRUE(host_->addresses().AddToInterface("v0", *IpAddress::Parse("2001:db8::5")).ok());
  EXPECT_EQ(Shell("ip -6 addr show dev v0 | grep 2001:db8::5/128 | grep deprecated | "
                  "grep -vq tentative"),
            0);
  EXPECT_EQ(host_->addresses().AddToInterface("v9", *IpAddress::Parse("10.9.0.5")).code(),
            absl::StatusCode::kNotFound);
}

// Without IPVS in this kernel (and modprobe cannot help) that is said; with it, all must work.
TEST_F(KernelTest, VirtualServicesOrTheReasonWhyNot) {
  VirtualService service;
  service.address = *IpAddress::Parse("203.0.113.10");
  service.port = 80;
  service.scheduler = "wlc";
  service.persistence = 300;
  service.servers = {{*IpAddress::Parse("10.9.0.2"), 80, 1, RealServer::Forwarding::kDirect}};
  VirtualServices& all = host_->virtual_services();
  if (const absl::Status there = all.Check(); !there.ok()) {
    EXPECT_EQ(ReasonOf(there), Reason::kKernelWithoutIpvs) << there;
    EXPECT_EQ(ReasonOf(all.List().status()), Reason::kKernelWithoutIpvs);
    EXPECT_TRUE(all.Glimpse()->empty());
    std::fprintf(stderr, "this kernel has no IPVS: see tests/system/balancer.sh\n");
    return;
  }
  for (int twice = 0; twice < 2; ++twice) {
    ASSERT_TRUE(all.Put(service).ok());
    ASSERT_TRUE(all.PutServer(service, service.servers[0]).ok());
    EXPECT_EQ(*all.List(), std::vector<VirtualService>{service});
  }
  for (int twice = 0; twice < 2; ++twice) {
    ASSERT_TRUE(all.RemoveServer(service, service.servers[0]).ok());
    ASSERT_TRUE(all.Remove(service).ok());
  }
  EXPECT_TRUE(all.List()->empty());
}

TEST_F(KernelTest, ArpProbeFindsTheOwnerAndOnlyThen) {
  ASSERT_EQ(Shell("ip link add v0 type veth peer name v1 && ip addr add 10.9.0.1/24 dev v0 && "
                  "ip link set v0 up"),
            0);
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t other = fork();
  if (other == 0) {
    const bool alone = unshare(CLONE_NEWNET) == 0;
    (void)!write(ready[1], alone ? "1" : "0", 1);
    pause();
    _exit(0);
  }
  char answer = 0;
  ASSERT_EQ(read(ready[0], &answer, 1), 1);
  const std::string in_other = "nsenter -t " + std::to_string(other) + " -n ";
  ASSERT_EQ(Shell("ip link set v1 netns " + std::to_string(other) + " && " + in_other +
                  "ip addr add 10.9.0.2/24 dev v1 && " + in_other + "ip link set v1 up && " +
                  in_other + "ip link set v1 address 02:00:00:00:00:99"),
            0);
  const auto owner = host_->addresses().FindOwner(*IpAddress::Parse("10.9.0.2"));
  ASSERT_TRUE(owner.ok()) << owner.status();
  ASSERT_TRUE(owner->has_value());
  EXPECT_EQ((*owner)->mac, "02:00:00:00:00:99");
  EXPECT_EQ((*owner)->interface, "v0");
  const auto several =
      host_->addresses().FindOwners({*IpAddress::Parse("10.9.0.3"), *IpAddress::Parse("10.9.0.2"),
                                     *IpAddress::Parse("2001:db8::5")});
  ASSERT_TRUE(several.ok()) << several.status();
  ASSERT_EQ(several->size(), 1U);
  EXPECT_EQ((*several)[0].address.ToString(), "10.9.0.2");
  const auto nobody = host_->addresses().FindOwner(*IpAddress::Parse("10.9.0.3"));
  ASSERT_TRUE(nobody.ok());
  EXPECT_FALSE(nobody->has_value());
  // In no subnet of ours: every interface is asked.
  ASSERT_EQ(
      Shell(in_other + "ip link set lo up; " + in_other + "ip addr add 198.51.100.7/32 dev lo"), 0);
  const auto elsewhere = host_->addresses().FindOwner(*IpAddress::Parse("198.51.100.7"));
  ASSERT_TRUE(elsewhere.ok());
  EXPECT_TRUE(elsewhere->has_value());
  const auto settings = host_->addresses().ArpSettings();
  ASSERT_TRUE(settings.ok());
  ASSERT_EQ(settings->size(), 1U);
  EXPECT_EQ((*settings)[0].interface, "v0");
  kill(other, SIGKILL);
  waitpid(other, nullptr, 0);
}

TEST_F(KernelTest, ArpSettingIsTheLargerOfAllAndInterface) {
  ASSERT_EQ(Shell("ip link add v0 type veth peer name v1 && ip link set v0 up && "
                  "sysctl -qw net.ipv4.conf.v0.arp_ignore=1 net.ipv4.conf.all.arp_announce=2"),
            0);
  const auto settings = host_->addresses().ArpSettings();
  ASSERT_TRUE(settings.ok());
  ASSERT_EQ(settings->size(), 1U);  // v1 is down
  EXPECT_EQ((*settings)[0].ignore, 1);
  EXPECT_EQ((*settings)[0].announce, 2);
}

TEST_F(KernelTest, HomesAppearWithOwnerAndNeverThroughLinks) {
  Files& files = host_->files();
  const FileInfo home = {FileInfo::Kind::kDirectory, 2001, 2002, 0711};
  ASSERT_TRUE(files.MakeDirectory(kScratch, "a", home).ok());
  const auto info = files.Stat(kScratch, "a");
  ASSERT_TRUE(info.ok() && info->has_value());
  EXPECT_EQ((*info)->uid, 2001U);
  EXPECT_EQ((*info)->gid, 2002U);
  EXPECT_EQ((*info)->mode, 0711U);
  EXPECT_TRUE(absl::IsAlreadyExists(files.MakeDirectory(kScratch, "a", home)));
  ASSERT_EQ(symlink("/etc", "/mnt/link"), 0);
  EXPECT_EQ((*files.Stat(kScratch, "link"))->kind, FileInfo::Kind::kSymlink);
  EXPECT_FALSE(files.Stat(kScratch, "link/passwd").ok());
  EXPECT_FALSE(files.MakeDirectory(kScratch, "link/hostq-test", home).ok());
  for (const char* bad : {"", "..", "a/../b", "a//b", "./a", "/a"}) {
    EXPECT_EQ(ReasonOf(files.Stat(kScratch, bad).status()), Reason::kBadParameters) << bad;
  }
  EXPECT_FALSE((*files.Stat(kScratch, "none")).has_value());
  EXPECT_FALSE((*files.Stat(kScratch, "none/deeper")).has_value());
  EXPECT_EQ(ReasonOf(files.Stat("/mnt/none", "a").status()), Reason::kMountPointMissing);
  ASSERT_TRUE(
      files.MakeDirectory(kScratch, ".trash", {FileInfo::Kind::kDirectory, 0, 0, 0700}).ok());
  EXPECT_TRUE(files.Move(kScratch, "a", ".trash/a.1").ok());
  EXPECT_TRUE(absl::IsNotFound(files.Move(kScratch, "a", ".trash/a.2")));
  EXPECT_TRUE(files.ProbeWrite(kScratch).ok());
}

TEST_F(KernelTest, ReadOnlyAndFullDirectoriesAreNamed) {
  ASSERT_EQ(mkdir("/mnt/empty", 0700), 0);
  EXPECT_TRUE(host_->files().CheckEmptyDirectory("/mnt/empty").ok());
  std::ofstream("/mnt/empty/file") << "x";
  const absl::Status full = host_->files().CheckEmptyDirectory("/mnt/empty");
  EXPECT_EQ(ReasonOf(full), Reason::kMountPointNotEmpty);
  EXPECT_EQ(EvidenceOf(full).at("entry"), "file");
  EXPECT_EQ(ReasonOf(host_->files().CheckEmptyDirectory("/mnt/no")), Reason::kMountPointMissing);
  EXPECT_EQ(ReasonOf(host_->files().CheckEmptyDirectory("/mnt/empty/file")),
            Reason::kMountPointMissing);
  ASSERT_EQ(mount("tmpfs", kScratch, "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr), 0);
  EXPECT_EQ(ReasonOf(host_->files().ProbeWrite(kScratch)), Reason::kShareReadOnly);
}

TEST_F(KernelTest, UnmountTellsBusyFromGone) {
  ASSERT_EQ(mkdir("/mnt/m", 0700), 0);
  EXPECT_TRUE(host_->mounts().Unmount("/mnt/m").ok());
  EXPECT_TRUE(host_->mounts().Unmount("/mnt/none").ok());
  ASSERT_EQ(mount("tmpfs", "/mnt/m", "tmpfs", 0, nullptr), 0);
  const auto mounts = host_->mounts().List();
  ASSERT_TRUE(mounts.ok());
  ASSERT_NE(MountAt(*mounts, "/mnt/m"), nullptr);
  EXPECT_TRUE(host_->mounts().Probe("/mnt/m").ok());
  std::ofstream busy("/mnt/m/file");
  EXPECT_EQ(ReasonOf(host_->mounts().Unmount("/mnt/m")), Reason::kShareBusy);
  busy.close();
  EXPECT_TRUE(host_->mounts().Unmount("/mnt/m").ok());
  EXPECT_EQ(MountAt(*host_->mounts().List(), "/mnt/m"), nullptr);
}

TEST_F(KernelTest, NotesLast) {
  Notes& notes = host_->notes();
  EXPECT_FALSE((*notes.Read(NoteLife::kDurable, "suspended/a")).has_value());
  ASSERT_TRUE(notes.Write(NoteLife::kDurable, "suspended/a", "text\n").ok());
  EXPECT_EQ(**notes.Read(NoteLife::kDurable, "suspended/a"), "text\n");
  EXPECT_TRUE(notes.Remove(NoteLife::kDurable, "suspended/a").ok());
  EXPECT_TRUE(notes.Remove(NoteLife::kDurable, "suspended/a").ok());
  EXPECT_EQ(ReasonOf(notes.Write(NoteLife::kDurable, "../etc/x", "")), Reason::kBadParameters);
}

TEST_F(KernelTest, JournalsDiskIsMeasuredWithoutAName) {
  const std::string journal = std::string(kScratch) + "/journal";
  EXPECT_FALSE(host_->system().MeasureDisk().ok()) << "there is no such directory";
  std::filesystem::create_directory(journal);
  EXPECT_TRUE(host_->system().MeasureDisk().ok());
  EXPECT_TRUE(std::filesystem::is_empty(journal));
}

TEST_F(KernelTest, MissingNfsIsNamedOrMountsAreRefusedByNobody) {
  const absl::Status status =
      host_->mounts().MountNfs({"127.0.0.1", "/x", "4.2", "/mnt/not-there"});
  EXPECT_EQ(ReasonOf(status), Reason::kMountPointMissing);
  ASSERT_EQ(mkdir("/mnt/m", 0700), 0);
  EXPECT_EQ(ReasonOf(host_->mounts().MountNfs({"127.0.0.1", "/x", "4.2", "/mnt/m"})),
            Reason::kShareServerUnreachable);
}

TEST(ChildTest, KillsWhatHangs) {
  const ChildOutcome outcome = RunInChild(absl::Milliseconds(100), [] {
    pause();
    return 0;
  });
  EXPECT_TRUE(outcome.killed);
  EXPECT_EQ(outcome.stuck_in, "");
  EXPECT_EQ(RunInChild(absl::Seconds(5), [] { return ESTALE; }).error_number, ESTALE);
}

TEST(ChildTest, ProgramsHaveFixedEnvironmentAndBoundedOutput) {
  const auto env = RunProgram({"env"}, absl::Seconds(10));
  ASSERT_TRUE(env.ok());
  EXPECT_EQ(env->output, "PATH=/usr/sbin:/usr/bin:/sbin:/bin\nLC_ALL=C");
  const auto flood = RunProgram({"seq", "1", "100000"}, absl::Seconds(10));
  ASSERT_TRUE(flood.ok());
  EXPECT_EQ(flood->output.size(), 4096U);
  EXPECT_EQ(RunProgram({"false"}, absl::Seconds(10))->exit_status, 1);
  EXPECT_EQ(ReasonOf(RunProgram({"no-such-program"}, absl::Seconds(1)).status()),
            Reason::kToolMissing);
  EXPECT_EQ(ReasonOf(RunProgram({"sleep", "60"}, absl::Milliseconds(100)).status()),
            Reason::kStepTimedOut);
}

}  // namespace
}  // namespace hostq::agent
