#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "agent/host/host.h"

namespace hostq::agent {

// A file server in memory: what several FakeHosts mount, and one of them may serve.
struct FakeFileServer {
  bool up = true;
  // As of rquotad: does it run, and with -S?
  bool quota_service = true;
  bool quota_settable = true;
  // Of the file system with the exports.
  bool quotas_enabled = true;
  bool quotas_enforced = true;
  bool read_only = false;
  bool root_squash = false;
  std::set<std::string> exports = {"/chroot/home"};
  // By path on the server.
  std::map<std::string, FileInfo> files;
  std::map<uint32_t, int64_t> limits;
  std::map<uint32_t, int64_t> used;
};

// What hosts have in common: file servers by address, and who else answers for which address.
struct FakeNetwork {
  std::map<std::string, FakeFileServer> servers;
  std::map<std::string, std::string> macs;
};

// A host that works, in memory. Its state is public: tests set the scene in it, make operations
// fail, and look at what became of it. Not thread-safe; a forked child changes only its own copy.
class FakeHost final : public Host {
 public:
  // `network` must outlive the host. `serves`: the address of the server in it whose files are this
  // host's own; empty for a client, which has its own local file system.
  explicit FakeHost(FakeNetwork& network, std::string serves = "");
  ~FakeHost() override;

  Mounts& mounts() override;
  Quotas& quotas() override;
  Addresses& addresses() override;
  Users& users() override;
  Files& files() override;
  Notes& notes() override;
  Hooks& hooks() override;
  Reloads& reloads() override;
  Exports& exports() override;
  VirtualServices& virtual_services() override;
  System& system() override;

  // The next `times` calls of an operation ("MountNfs", "AddUser") fail with `status`.
  void Fail(const std::string& operation, absl::Status status, int times = 1 << 30);
  void Heal(const std::string& operation) { failures_.erase(operation); }
  // After a reboot: mounts of shares, processes, addresses and notes that do not last are gone.
  void Reboot();

  // What changed something, in order: "AddUser exampleco".
  std::vector<std::string> changes;

  std::vector<Mount> mount_table;
  std::map<std::string, std::string> links = {{"/home", "/chroot/home"}};
  std::set<std::string> directories = {"/chroot/home"};
  // By path: an entry that makes the directory not empty.
  std::map<std::string, std::string> full_directories;
  std::vector<InterfaceAddress> address_table;
  std::vector<ArpSetting> arp = {{"eth0", 1, 2}};
  std::map<std::string, User> user_table;
  std::map<std::string, Group> group_table;
  std::map<uint32_t, int> processes;
  std::map<std::string, std::string> durable_notes;
  std::map<std::string, std::string> volatile_notes;
  // By path of the directory.
  std::map<std::string, HookDirectory> hook_directories;
  // What a hook, or a reload, does when it is run.
  std::function<HookOutcome(const std::string& path, const std::string& input)> run_hook;
  // Who waits for which reload.
  std::set<std::pair<std::string, std::string>> waiting_reloads;
  // Of a host that serves nothing: its own file system.
  FakeFileServer local;
  OsInfo os = {"Debian GNU/Linux 12 (bookworm)", "debian", "12", "6.1.0", "x86_64"};
  uint64_t capabilities = ~uint64_t{0};
  std::string container;
  bool user_namespace = false;
  // Other than the mounts tell.
  std::optional<QuotaBackend> quota_backend;
  bool nfs_in_kernel = true;
  bool ipvs_in_kernel = true;
  std::vector<VirtualService> service_table;
  // The administrator's, and hostq's own.
  std::vector<ExportEntry> exports_of_others, own_exports;
  std::set<std::string> tools = {"groupadd", "groupdel", "useradd", "usermod",
                                 "userdel",  "nologin",  "exportfs"};
  // "address:port" of what answers besides file servers (port 2049).
  std::set<std::string> listeners;
  absl::Duration disk_latency = absl::Milliseconds(1);

 private:
  class Parts;
  struct Failure {
    absl::Status status;
    int times = 0;
  };

  // The failure a test asked for, once; or OK.
  absl::Status Injected(const std::string& operation);
  // The file system in which `path` lies, and the path in it.
  FakeFileServer* FileSystemOf(const std::string& path, std::string* inside);
  FakeFileServer& Own() { return serves_.empty() ? local : network_.servers[serves_]; }

  FakeNetwork& network_;
  const std::string serves_;
  std::map<std::string, Failure> failures_;
  int next_mount_id_ = 100;
  std::unique_ptr<Parts> parts_;
};

}  // namespace hostq::agent
