#include "tests/testing/fake_host.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "agent/host/evidence.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

absl::Status Failed(Reason reason, absl::string_view message) {
  return MakeError(absl::StatusCode::kFailedPrecondition, reason, message);
}

absl::Status Unreachable(absl::string_view server) {
  return MakeError(absl::StatusCode::kUnavailable, Reason::kShareServerUnreachable,
                   absl::StrCat(server, " does not answer"));
}

std::string ServerOf(const Mount& mount) { return mount.source.substr(0, mount.source.find(":/")); }

}  // namespace

// The interfaces of the host; their state is the host's.
class FakeHost::Parts {
 public:
  explicit Parts(FakeHost& host)
      : mounts(host),
        quotas(host),
        addresses(host),
        users(host),
        files(host),
        notes(host),
        hooks(host),
        reloads(host),
        exports(host),
        virtual_services(host),
        system(host) {}

  class FakeMounts final : public Mounts {
   public:
    explicit FakeMounts(FakeHost& host) : host_(host) {}

    absl::StatusOr<std::vector<Mount>> List() override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("ListMounts"));
      return host_.mount_table;
    }
    absl::StatusOr<std::string> ResolveServer(const std::string& server) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("ResolveServer"));
      return server;
    }
    absl::Status MountNfs(const NfsMount& mount) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("MountNfs"));
      HOSTQ_RETURN_IF_ERROR(CheckServer(mount));
      if (!host_.directories.count(mount.target)) {
        return Failed(Reason::kMountPointMissing, absl::StrCat("no directory ", mount.target));
      }
      Mount entry;
      entry.id = host_.next_mount_id_++;
      entry.root = "/";
      entry.mount_point = mount.target;
      entry.options = "rw,nosuid,nodev,relatime";
      entry.fs_type = mount.version == "3" ? "nfs" : "nfs4";
      entry.source = NfsSource(mount.server, mount.export_path);
      entry.super_options = absl::StrCat("rw,vers=", mount.version, ",addr=", mount.server);
      host_.mount_table.push_back(entry);
      host_.changes.push_back(absl::StrCat("MountNfs ", entry.source, " ", mount.target));
      return absl::OkStatus();
    }
    absl::Status TryNfs(const NfsMount& mount, bool write) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("TryNfs"));
      HOSTQ_RETURN_IF_ERROR(CheckServer(mount));
      return write ? Writable(host_.network_.servers[mount.server]) : absl::OkStatus();
    }
    absl::Status Unmount(const std::string& target) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("Unmount"));
      auto& table = host_.mount_table;
      for (auto it = table.rbegin(); it != table.rend(); ++it) {
        if (it->mount_point != target) continue;
        table.erase(std::next(it).base());
        host_.changes.push_back(absl::StrCat("Unmount ", target));
        break;
      }
      return absl::OkStatus();
    }
    absl::Status Probe(const std::string& target) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("Probe"));
      const Mount* const mount = MountAt(host_.mount_table, target);
      if (mount == nullptr || !mount->nfs()) return absl::OkStatus();
      if (host_.network_.servers[ServerOf(*mount)].up) return absl::OkStatus();
      return Failed(Reason::kShareUnresponsive, absl::StrCat(target, " does not answer"));
    }

    static absl::Status Writable(const FakeFileServer& server) {
      if (server.read_only) return Failed(Reason::kShareReadOnly, "read-only");
      if (server.root_squash) return Failed(Reason::kShareRootSquashed, "root is squashed");
      return absl::OkStatus();
    }

   private:
    absl::Status CheckServer(const NfsMount& mount) {
      const auto found = host_.network_.servers.find(mount.server);
      if (found == host_.network_.servers.end() || !found->second.up) {
        return Unreachable(mount.server);
      }
      if (!host_.nfs_in_kernel) return Failed(Reason::kKernelWithoutNfs, "no NFS");
      if (found->second.exports.count(mount.export_path)) return absl::OkStatus();
      return Failed(Reason::kShareExportMissing, absl::StrCat("not exported: ", mount.export_path));
    }
    FakeHost& host_;
  };

  class FakeQuotas final : public Quotas {
   public:
    explicit FakeQuotas(FakeHost& host) : host_(host) {}

    QuotaBackend BackendOf(const Mount& mount) override {
      return host_.quota_backend.value_or(QuotaBackendOf(mount));
    }
    absl::StatusOr<Quota> Get(const Mount& mount, uint32_t uid) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("GetQuota"));
      FakeFileServer& server = ServerFor(mount);
      HOSTQ_RETURN_IF_ERROR(Check(mount, server));
      return Quota{server.limits[uid], 0, server.used[uid], 1024};
    }
    absl::Status Set(const Mount& mount, uint32_t uid, int64_t bytes) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("SetQuota"));
      FakeFileServer& server = ServerFor(mount);
      HOSTQ_RETURN_IF_ERROR(Check(mount, server));
      HOSTQ_RETURN_IF_ERROR(CheckPermitted(mount, server));
      if (mount.nfs() && bytes > int64_t{1024} * 0xffffffff) {
        return Failed(Reason::kQuotaTooLarge, "too large");
      }
      server.limits[uid] = (bytes + 1023) / 1024 * 1024;
      host_.changes.push_back(absl::StrCat("SetQuota ", uid, " ", bytes));
      return absl::OkStatus();
    }
    absl::Status CheckSettable(const Mount& mount) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("CheckSettable"));
      FakeFileServer& server = ServerFor(mount);
      HOSTQ_RETURN_IF_ERROR(Check(mount, server));
      return CheckPermitted(mount, server);
    }
    absl::Status CheckEnforced(const Mount& mount) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("CheckEnforced"));
      const FakeFileServer& server = ServerFor(mount);
      HOSTQ_RETURN_IF_ERROR(Check(mount, server));
      if (mount.nfs() || server.quotas_enforced) return absl::OkStatus();
      return Failed(Reason::kQuotaNotEnabled, "counted but not enforced");
    }
    absl::Status CheckService(absl::string_view) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("CheckService"));
      if (host_.Own().quota_service) return absl::OkStatus();
      return Failed(Reason::kQuotaServiceUnreachable, "rquotad is not registered");
    }

   private:
    FakeFileServer& ServerFor(const Mount& mount) {
      return mount.nfs() ? host_.network_.servers[ServerOf(mount)] : host_.Own();
    }
    absl::Status Check(const Mount& mount, const FakeFileServer& server) {
      const QuotaBackend backend = BackendOf(mount);
      if (backend == QuotaBackend::kSwitchedOff) {
        return Failed(Reason::kQuotaSwitchedOff, "quotas are switched off");
      }
      if (backend == QuotaBackend::kNone) {
        return Failed(Reason::kQuotaUnsupportedFilesystem, "no user quotas");
      }
      if (mount.nfs() && (!server.up || !server.quota_service)) {
        return Failed(Reason::kQuotaServiceUnreachable, "rquotad does not answer");
      }
      return server.quotas_enabled ? absl::OkStatus()
                                   : Failed(Reason::kQuotaNotEnabled, "quotas are off");
    }
    static absl::Status CheckPermitted(const Mount& mount, const FakeFileServer& server) {
      if (!mount.nfs() || server.quota_settable) return absl::OkStatus();
      return WithEvidence(Failed(Reason::kQuotaSetNotPermitted, "rquotad runs without -S"),
                          "auth_stat", "7");
    }
    FakeHost& host_;
  };

  class FakeAddresses final : public Addresses {
   public:
    explicit FakeAddresses(FakeHost& host) : host_(host) {}

    absl::StatusOr<std::vector<InterfaceAddress>> List() override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("ListAddresses"));
      return host_.address_table;
    }
    absl::Status AddToLoopback(const IpAddress& address) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("AddToLoopback"));
      host_.address_table.push_back({"lo", address, address.bits()});
      host_.changes.push_back(absl::StrCat("AddToLoopback ", address.ToString()));
      return absl::OkStatus();
    }
    absl::Status RemoveFromLoopback(const IpAddress& address) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("RemoveFromLoopback"));
      std::erase_if(host_.address_table, [&](const InterfaceAddress& one) {
        return one.interface == "lo" && one.address == address && one.prefix == address.bits();
      });
      host_.changes.push_back(absl::StrCat("RemoveFromLoopback ", address.ToString()));
      return absl::OkStatus();
    }
    absl::Status AddToInterface(const std::string& interface, const IpAddress& address) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("AddToInterface"));
      host_.address_table.push_back({interface, address, address.bits()});
      host_.changes.push_back(absl::StrCat("AddToInterface ", interface, " ", address.ToString()));
      return absl::OkStatus();
    }
    absl::Status RemoveFromInterface(const std::string& interface,
                                     const IpAddress& address) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("RemoveFromInterface"));
      std::erase_if(host_.address_table, [&](const InterfaceAddress& one) {
        return one.interface == interface && one.address == address && one.prefix == address.bits();
      });
      host_.changes.push_back(
          absl::StrCat("RemoveFromInterface ", interface, " ", address.ToString()));
      return absl::OkStatus();
    }
    absl::StatusOr<std::vector<AddressOwner>> FindOwners(
        const std::vector<IpAddress>& asked) override {
      std::vector<AddressOwner> found;
      for (const IpAddress& address : asked) {
        HOSTQ_ASSIGN_OR_RETURN(const auto owner, FindOwner(address));
        if (owner) found.push_back(*owner);
      }
      return found;
    }
    absl::StatusOr<std::optional<AddressOwner>> FindOwner(const IpAddress& address) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("FindOwner"));
      const auto found = host_.network_.macs.find(address.ToString());
      if (found == host_.network_.macs.end()) return std::optional<AddressOwner>();
      return std::optional<AddressOwner>({address, found->second, "eth0"});
    }
    absl::StatusOr<std::vector<ArpSetting>> ArpSettings() override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("ArpSettings"));
      return host_.arp;
    }

   private:
    FakeHost& host_;
  };

  class FakeUsers final : public Users {
   public:
    explicit FakeUsers(FakeHost& host) : host_(host) {}

    absl::StatusOr<std::vector<User>> List() override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("ListUsers"));
      std::vector<User> all;
      for (const auto& [name, user] : host_.user_table) all.push_back(user);
      return all;
    }
    absl::StatusOr<std::optional<User>> FindUser(const std::string& name) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("FindUser"));
      const auto found = host_.user_table.find(name);
      if (found == host_.user_table.end()) return std::optional<User>();
      return std::optional<User>(found->second);
    }
    absl::StatusOr<std::optional<User>> FindUserByUid(uint32_t uid) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("FindUser"));
      for (const auto& [name, user] : host_.user_table) {
        if (user.uid == uid) return std::optional<User>(user);
      }
      return std::optional<User>();
    }
    absl::StatusOr<std::optional<Group>> FindGroup(const std::string& name) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("FindGroup"));
      const auto found = host_.group_table.find(name);
      if (found == host_.group_table.end()) return std::optional<Group>();
      return std::optional<Group>(found->second);
    }
    absl::StatusOr<std::optional<Group>> FindGroupByGid(uint32_t gid) override {
      for (const auto& [name, group] : host_.group_table) {
        if (group.gid == gid) return std::optional<Group>(group);
      }
      return std::optional<Group>();
    }
    absl::Status AddGroup(const Group& group) override {
      HOSTQ_RETURN_IF_ERROR(Change("AddGroup", group.name));
      host_.group_table[group.name] = group;
      return absl::OkStatus();
    }
    absl::Status RemoveGroup(const std::string& name) override {
      HOSTQ_RETURN_IF_ERROR(Change("RemoveGroup", name));
      host_.group_table.erase(name);
      return absl::OkStatus();
    }
    absl::Status AddUser(const User& user) override {
      HOSTQ_RETURN_IF_ERROR(Change("AddUser", user.name));
      host_.user_table[user.name] = user;
      return absl::OkStatus();
    }
    absl::Status RemoveUser(const std::string& name) override {
      HOSTQ_RETURN_IF_ERROR(Change("RemoveUser", name));
      host_.user_table.erase(name);
      return absl::OkStatus();
    }
    absl::Status SetHome(const std::string& name, const std::string& home) override {
      HOSTQ_RETURN_IF_ERROR(Change("SetHome", name));
      host_.user_table[name].home = home;
      return absl::OkStatus();
    }
    absl::Status SetShell(const std::string& name, const std::string& shell) override {
      HOSTQ_RETURN_IF_ERROR(Change("SetShell", name));
      host_.user_table[name].shell = shell;
      return absl::OkStatus();
    }
    absl::Status Lock(const std::string& name) override {
      HOSTQ_RETURN_IF_ERROR(Change("Lock", name));
      host_.user_table[name].locked = true;
      return absl::OkStatus();
    }
    absl::Status Unlock(const std::string& name) override {
      HOSTQ_RETURN_IF_ERROR(Change("Unlock", name));
      host_.user_table[name].locked = false;
      return absl::OkStatus();
    }
    absl::StatusOr<int> EndProcesses(uint32_t uid) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("EndProcesses"));
      const int ended = std::exchange(host_.processes[uid], 0);
      if (ended > 0) host_.changes.push_back(absl::StrCat("EndProcesses ", uid));
      return ended;
    }

   private:
    absl::Status Change(const std::string& operation, const std::string& name) {
      HOSTQ_RETURN_IF_ERROR(host_.Injected(operation));
      host_.changes.push_back(absl::StrCat(operation, " ", name));
      return absl::OkStatus();
    }
    FakeHost& host_;
  };

  class FakeFiles final : public Files {
   public:
    explicit FakeFiles(FakeHost& host) : host_(host) {}

    absl::StatusOr<std::optional<FileInfo>> Stat(const std::string& root,
                                                 const std::string& relative) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("Stat"));
      std::string inside;
      FakeFileServer& disk = *host_.FileSystemOf(absl::StrCat(root, "/", relative), &inside);
      const auto found = disk.files.find(inside);
      if (found == disk.files.end()) return std::optional<FileInfo>();
      return std::optional<FileInfo>(found->second);
    }
    absl::Status MakeDirectory(const std::string& root, const std::string& relative,
                               const FileInfo& info) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("MakeDirectory"));
      std::string inside;
      FakeFileServer& disk = *host_.FileSystemOf(absl::StrCat(root, "/", relative), &inside);
      if (!disk.files.emplace(inside, info).second) {
        return absl::AlreadyExistsError(absl::StrCat(inside, " exists"));
      }
      host_.changes.push_back(absl::StrCat("MakeDirectory ", inside));
      return absl::OkStatus();
    }
    absl::Status Move(const std::string& root, const std::string& from,
                      const std::string& to) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("Move"));
      std::string source;
      std::string target;
      FakeFileServer& disk = *host_.FileSystemOf(absl::StrCat(root, "/", from), &source);
      host_.FileSystemOf(absl::StrCat(root, "/", to), &target);
      const auto found = disk.files.find(source);
      if (found == disk.files.end()) return absl::NotFoundError(source);
      if (disk.files.count(target)) return absl::AlreadyExistsError(target);
      disk.files[target] = found->second;
      disk.files.erase(source);
      host_.changes.push_back(absl::StrCat("Move ", source, " ", target));
      return absl::OkStatus();
    }
    absl::Status ProbeWrite(const std::string& root) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("ProbeWrite"));
      std::string inside;
      return FakeMounts::Writable(*host_.FileSystemOf(root, &inside));
    }
    absl::StatusOr<std::optional<std::string>> ReadLink(const std::string& path) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("ReadLink"));
      const auto found = host_.links.find(path);
      if (found != host_.links.end()) return std::optional<std::string>(found->second);
      if (host_.directories.count(path)) return std::optional<std::string>();
      return Failed(Reason::kMountPointMissing, absl::StrCat(path, " does not exist"));
    }
    absl::Status CheckEmptyDirectory(const std::string& path) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("CheckEmptyDirectory"));
      if (!host_.directories.count(path)) {
        return Failed(Reason::kMountPointMissing, absl::StrCat(path, " does not exist"));
      }
      const auto found = host_.full_directories.find(path);
      if (found == host_.full_directories.end()) return absl::OkStatus();
      return WithEvidence(Failed(Reason::kMountPointNotEmpty, absl::StrCat(path, " is not empty")),
                          "entry", found->second);
    }

   private:
    FakeHost& host_;
  };

  class FakeNotes final : public Notes {
   public:
    explicit FakeNotes(FakeHost& host) : host_(host) {}

    absl::StatusOr<std::optional<std::string>> Read(NoteLife life,
                                                    const std::string& name) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("ReadNote"));
      const auto found = Of(life).find(name);
      if (found == Of(life).end()) return std::optional<std::string>();
      return std::optional<std::string>(found->second);
    }
    absl::Status Write(NoteLife life, const std::string& name, const std::string& text) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("WriteNote"));
      Of(life)[name] = text;
      return absl::OkStatus();
    }
    absl::Status Remove(NoteLife life, const std::string& name) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("RemoveNote"));
      Of(life).erase(name);
      return absl::OkStatus();
    }
    absl::StatusOr<std::shared_ptr<void>> Lock(const std::string&) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("Lock"));
      return std::shared_ptr<void>();
    }

   private:
    std::map<std::string, std::string>& Of(NoteLife life) {
      return life == NoteLife::kDurable ? host_.durable_notes : host_.volatile_notes;
    }
    FakeHost& host_;
  };

  class FakeExports final : public Exports {
   public:
    explicit FakeExports(FakeHost& host) : host_(host) {}

    absl::StatusOr<std::vector<ExportEntry>> List() override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("ListExports"));
      std::vector<ExportEntry> all = host_.exports_of_others;
      all.insert(all.end(), host_.own_exports.begin(), host_.own_exports.end());
      return all;
    }
    absl::StatusOr<std::vector<ExportEntry>> ListOwn() override { return host_.own_exports; }
    absl::Status PutOwn(const std::vector<ExportEntry>& entries) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("PutExports"));
      host_.own_exports = entries;
      host_.changes.push_back(absl::StrCat("PutExports ", entries.size()));
      return absl::OkStatus();
    }

   private:
    FakeHost& host_;
  };

  class FakeVirtualServices final : public VirtualServices {
   public:
    explicit FakeVirtualServices(FakeHost& host) : host_(host) {}

    absl::Status Check() override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("CheckIpvs"));
      if (host_.ipvs_in_kernel) return absl::OkStatus();
      return Failed(Reason::kKernelWithoutIpvs, "no IPVS");
    }
    absl::StatusOr<std::vector<VirtualService>> List() override {
      HOSTQ_RETURN_IF_ERROR(Check());
      return host_.service_table;
    }
    absl::StatusOr<std::vector<VirtualService>> Glimpse() override {
      std::vector<VirtualService> services = host_.service_table;
      for (VirtualService& service : services) {
        service.persistence = std::min(service.persistence, 1U);
      }
      return services;
    }
    absl::Status Put(const VirtualService& service) override {
      HOSTQ_RETURN_IF_ERROR(Change("PutService", service));
      VirtualService& mine = Find(service);
      mine.scheduler = service.scheduler;
      mine.persistence = service.persistence;
      return absl::OkStatus();
    }
    absl::Status Remove(const VirtualService& service) override {
      HOSTQ_RETURN_IF_ERROR(Change("RemoveService", service));
      std::erase_if(host_.service_table, [&](const VirtualService& one) {
        return one.address == service.address && one.port == service.port;
      });
      return absl::OkStatus();
    }
    absl::Status PutServer(const VirtualService& service, const RealServer& server) override {
      HOSTQ_RETURN_IF_ERROR(Change("PutServer", service));
      Drop(service, server);
      Find(service).servers.push_back(server);
      Sort(host_.service_table);
      return absl::OkStatus();
    }
    absl::Status RemoveServer(const VirtualService& service, const RealServer& server) override {
      HOSTQ_RETURN_IF_ERROR(Change("RemoveServer", service));
      Drop(service, server);
      return absl::OkStatus();
    }

   private:
    absl::Status Change(const std::string& operation, const VirtualService& service) {
      HOSTQ_RETURN_IF_ERROR(host_.Injected(operation));
      HOSTQ_RETURN_IF_ERROR(Check());
      host_.changes.push_back(
          absl::StrCat(operation, " ", service.address.ToString(), " ", service.port));
      return absl::OkStatus();
    }
    // Made if it is not there.
    VirtualService& Find(const VirtualService& service) {
      for (VirtualService& one : host_.service_table) {
        if (one.address == service.address && one.port == service.port) return one;
      }
      host_.service_table.emplace_back(service).servers.clear();
      Sort(host_.service_table);
      return Find(service);
    }
    void Drop(const VirtualService& service, const RealServer& server) {
      std::erase_if(Find(service).servers, [&](const RealServer& one) {
        return one.address == server.address && one.port == server.port;
      });
    }
    FakeHost& host_;
  };

  class FakeHooks final : public Hooks {
   public:
    explicit FakeHooks(FakeHost& host) : host_(host) {}

    absl::StatusOr<HookDirectory> List(const std::string& directory) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("ListHooks"));
      const auto found = host_.hook_directories.find(directory);
      if (found == host_.hook_directories.end()) return absl::NotFoundError(directory);
      return found->second;
    }
    absl::StatusOr<HookOutcome> Run(const std::string& path, const std::string& input,
                                    absl::Duration) override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("RunHook"));
      host_.changes.push_back(absl::StrCat("RunHook ", path));
      return host_.run_hook ? host_.run_hook(path, input) : HookOutcome();
    }

   private:
    FakeHost& host_;
  };

  class FakeReloads final : public Reloads {
   public:
    explicit FakeReloads(FakeHost& host) : host_(host) {}

    absl::StatusOr<bool> Announce(const std::string& name, const std::string& who) override {
      return !host_.waiting_reloads.insert({name, who}).second;
    }
    absl::Status Ask(const std::string& name, const std::string& who) override {
      host_.waiting_reloads.insert({name, who});
      return absl::OkStatus();
    }
    absl::Status Withdraw(const std::string& name, const std::string& who) override {
      host_.waiting_reloads.erase({name, who});
      return absl::OkStatus();
    }
    absl::StatusOr<ReloadOutcome> Await(const std::string& name, const std::string& who,
                                        absl::Duration, absl::Duration,
                                        absl::FunctionRef<absl::Status()> run) override {
      if (!host_.waiting_reloads.contains({name, who})) return ReloadOutcome{.by_another = true};
      HOSTQ_RETURN_IF_ERROR(run());
      const auto done = std::erase_if(host_.waiting_reloads,
                                      [&](const auto& waiting) { return waiting.first == name; });
      return ReloadOutcome{.others = static_cast<int>(done) - 1};
    }

   private:
    FakeHost& host_;
  };

  class FakeSystem final : public System {
   public:
    explicit FakeSystem(FakeHost& host) : host_(host) {}

    absl::StatusOr<OsInfo> Os() override { return host_.os; }
    absl::StatusOr<uint64_t> Capabilities() override { return host_.capabilities; }
    bool InUserNamespace() override { return host_.user_namespace; }
    std::string Container() override { return host_.container; }
    absl::Status CheckNfs() override {
      return host_.nfs_in_kernel ? absl::OkStatus() : Failed(Reason::kKernelWithoutNfs, "no NFS");
    }
    std::optional<std::string> FindTool(const std::string& name) override {
      if (!host_.tools.count(name)) return std::nullopt;
      return absl::StrCat("/usr/sbin/", name);
    }
    absl::Status Connect(const std::string& server, int port, absl::Duration) override {
      if (host_.listeners.count(absl::StrCat(server, ":", port))) return absl::OkStatus();
      const std::string address = server == "127.0.0.1" ? host_.serves_ : server;
      const auto found = host_.network_.servers.find(address);
      if (port == 2049 && found != host_.network_.servers.end() && found->second.up) {
        return absl::OkStatus();
      }
      return absl::UnavailableError(absl::StrCat(server, " port ", port, " does not answer"));
    }
    absl::StatusOr<absl::Duration> MeasureDisk() override {
      HOSTQ_RETURN_IF_ERROR(host_.Injected("MeasureDisk"));
      return host_.disk_latency;
    }

   private:
    FakeHost& host_;
  };

  FakeMounts mounts;
  FakeQuotas quotas;
  FakeAddresses addresses;
  FakeUsers users;
  FakeFiles files;
  FakeNotes notes;
  FakeHooks hooks;
  FakeReloads reloads;
  FakeExports exports;
  FakeVirtualServices virtual_services;
  FakeSystem system;
};

FakeHost::FakeHost(FakeNetwork& network, std::string serves)
    : network_(network), serves_(std::move(serves)), parts_(std::make_unique<Parts>(*this)) {
  Mount root;
  root.id = 1;
  root.root = "/";
  root.mount_point = "/";
  root.fs_type = "ext4";
  root.source = "/dev/vda1";
  mount_table.push_back(root);
  for (const absl::string_view interface : {"lo", "eth0"}) {
    const bool loopback = interface == "lo";
    address_table.push_back({std::string(interface),
                             *IpAddress::Parse(loopback ? "127.0.0.1" : "203.0.113.2"),
                             loopback ? 8 : 24});
  }
}

FakeHost::~FakeHost() = default;

Mounts& FakeHost::mounts() { return parts_->mounts; }
Quotas& FakeHost::quotas() { return parts_->quotas; }
Addresses& FakeHost::addresses() { return parts_->addresses; }
Users& FakeHost::users() { return parts_->users; }
Files& FakeHost::files() { return parts_->files; }
Notes& FakeHost::notes() { return parts_->notes; }
Hooks& FakeHost::hooks() { return parts_->hooks; }
Reloads& FakeHost::reloads() { return parts_->reloads; }
Exports& FakeHost::exports() { return parts_->exports; }
VirtualServices& FakeHost::virtual_services() { return parts_->virtual_services; }
System& FakeHost::system() { return parts_->system; }

void FakeHost::Fail(const std::string& operation, absl::Status status, int times) {
  failures_[operation] = {std::move(status), times};
}

absl::Status FakeHost::Injected(const std::string& operation) {
  const auto found = failures_.find(operation);
  if (found == failures_.end() || found->second.times <= 0) return absl::OkStatus();
  --found->second.times;
  return found->second.status;
}

void FakeHost::Reboot() {
  std::erase_if(mount_table, [](const Mount& mount) { return mount.nfs(); });
  std::erase_if(address_table,
                [](const InterfaceAddress& one) { return one.prefix == one.address.bits(); });
  service_table.clear();
  processes.clear();
  volatile_notes.clear();
  waiting_reloads.clear();
}

FakeFileServer* FakeHost::FileSystemOf(const std::string& path, std::string* inside) {
  *inside = path;
  const Mount* const mount = MountContaining(mount_table, path);
  if (mount == nullptr || !mount->nfs()) return &Own();
  *inside = absl::StrCat(mount->source.substr(mount->source.find(":/") + 1),
                         path.substr(mount->mount_point.size()));
  return &network_.servers[ServerOf(*mount)];
}

}  // namespace hostq::agent
