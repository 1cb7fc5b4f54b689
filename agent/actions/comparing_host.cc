#include "agent/actions/comparing_host.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/text.h"

namespace hostq::agent {
namespace {

template <typename... Words>
absl::Status Differs(const Words&... words) {
  return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kDiffers,
                   absl::StrCat(kToBeDone, words...));
}

class ComparingMounts final : public Mounts {
 public:
  explicit ComparingMounts(Mounts& real) : real_(real) {}
  absl::StatusOr<std::vector<Mount>> List() override { return real_.List(); }
  absl::StatusOr<std::string> ResolveServer(const std::string& server) override {
    return real_.ResolveServer(server);
  }
  absl::Status MountNfs(const NfsMount& mount) override {
    return Differs("mount ", NfsSource(mount.server, mount.export_path), " on ", mount.target);
  }
  absl::Status TryNfs(const NfsMount& mount, bool write) override {
    return real_.TryNfs(mount, write);
  }
  absl::Status Unmount(const std::string& target) override { return Differs("unmount ", target); }
  absl::Status Probe(const std::string& target) override { return real_.Probe(target); }

 private:
  Mounts& real_;
};

class ComparingQuotas final : public Quotas {
 public:
  explicit ComparingQuotas(Quotas& real) : real_(real) {}
  QuotaBackend BackendOf(const Mount& mount) override { return real_.BackendOf(mount); }
  absl::StatusOr<Quota> Get(const Mount& mount, uint32_t uid) override {
    return real_.Get(mount, uid);
  }
  absl::Status Set(const Mount& mount, uint32_t uid, int64_t bytes) override {
    const auto now = real_.Get(mount, uid);
    return Differs("set the quota of uid ", uid, " to ", FormatSize(bytes),
                   now.ok() ? absl::StrCat(" (it is ", FormatSize(now->hard_bytes), ")") : "");
  }
  absl::Status CheckSettable(const Mount& mount) override { return real_.CheckSettable(mount); }
  absl::Status CheckEnforced(const Mount& mount) override { return real_.CheckEnforced(mount); }
  absl::Status CheckService(absl::string_view server) override {
    return real_.CheckService(server);
  }

 private:
  Quotas& real_;
};

class ComparingAddresses final : public Addresses {
 public:
  explicit ComparingAddresses(Addresses& real) : real_(real) {}
  absl::StatusOr<std::vector<InterfaceAddress>> List() override { return real_.List(); }
  absl::Status AddToLoopback(const IpAddress& address) override {
    return Differs("put ", address.ToString(), " on lo");
  }
  absl::Status RemoveFromLoopback(const IpAddress& address) override {
    return Differs("take ", address.ToString(), " off lo");
  }
  absl::Status AddToInterface(const std::string& interface, const IpAddress& address) override {
    return Differs("put ", address.ToString(), " on ", interface);
  }
  absl::Status RemoveFromInterface(const std::string& interface,
                                   const IpAddress& address) override {
    return Differs("take ", address.ToString(), " off ", interface);
  }
  absl::StatusOr<std::optional<AddressOwner>> FindOwner(const IpAddress& address) override {
    return real_.FindOwner(address);
  }
  absl::StatusOr<std::vector<AddressOwner>> FindOwners(
      const std::vector<IpAddress>& addresses) override {
    return real_.FindOwners(addresses);
  }
  absl::StatusOr<std::vector<ArpSetting>> ArpSettings() override { return real_.ArpSettings(); }

 private:
  Addresses& real_;
};

class ComparingUsers final : public Users {
 public:
  explicit ComparingUsers(Users& real) : real_(real) {}
  absl::StatusOr<std::vector<User>> List() override { return real_.List(); }
  absl::StatusOr<std::optional<User>> FindUser(const std::string& name) override {
    return real_.FindUser(name);
  }
  absl::StatusOr<std::optional<User>> FindUserByUid(uint32_t uid) override {
    return real_.FindUserByUid(uid);
  }
  absl::StatusOr<std::optional<Group>> FindGroup(const std::string& name) override {
    return real_.FindGroup(name);
  }
  absl::StatusOr<std::optional<Group>> FindGroupByGid(uint32_t gid) override {
    return real_.FindGroupByGid(gid);
  }
  absl::Status AddGroup(const Group& group) override {
    return Differs("add the group ", group.name, " with gid ", group.gid);
  }
  absl::Status RemoveGroup(const std::string& name) override {
    return Differs("remove the group ", name);
  }
  absl::Status AddUser(const User& user) override {
    return Differs("add the user ", user.name, " with uid ", user.uid);
  }
  absl::Status RemoveUser(const std::string& name) override {
    return Differs("remove the user ", name);
  }
  absl::Status SetHome(const std::string& name, const std::string& home) override {
    return Differs("make ", home, " the home of ", name);
  }
  absl::Status SetShell(const std::string& name, const std::string& shell) override {
    return Differs("make ", shell, " the shell of ", name);
  }
  absl::Status Lock(const std::string& name) override {
    return Differs("lock the login of ", name);
  }
  absl::Status Unlock(const std::string& name) override {
    return Differs("unlock the login of ", name);
  }
  absl::StatusOr<int> EndProcesses(uint32_t) override { return 0; }

 private:
  Users& real_;
};

class ComparingFiles final : public Files {
 public:
  explicit ComparingFiles(Files& real) : real_(real) {}
  absl::StatusOr<std::optional<FileInfo>> Stat(const std::string& root,
                                               const std::string& relative) override {
    return real_.Stat(root, relative);
  }
  absl::Status MakeDirectory(const std::string& root, const std::string& relative,
                             const FileInfo&) override {
    return Differs("make the directory ", root, "/", relative);
  }
  absl::Status Move(const std::string& root, const std::string& from,
                    const std::string& to) override {
    return Differs("move ", from, " to ", to, " in ", root);
  }
  absl::Status ProbeWrite(const std::string& root) override { return real_.ProbeWrite(root); }
  absl::StatusOr<std::optional<std::string>> ReadLink(const std::string& path) override {
    return real_.ReadLink(path);
  }
  absl::Status CheckEmptyDirectory(const std::string& path) override {
    return real_.CheckEmptyDirectory(path);
  }

 private:
  Files& real_;
};

class ComparingNotes final : public Notes {
 public:
  explicit ComparingNotes(Notes& real) : real_(real) {}
  absl::StatusOr<std::optional<std::string>> Read(NoteLife life, const std::string& name) override {
    return real_.Read(life, name);
  }
  absl::Status Write(NoteLife, const std::string&, const std::string&) override {
    return absl::OkStatus();
  }
  absl::Status Remove(NoteLife, const std::string&) override { return absl::OkStatus(); }
  absl::StatusOr<std::shared_ptr<void>> Lock(const std::string& name) override {
    return real_.Lock(name);
  }

 private:
  Notes& real_;
};

class ComparingHost final : public Host {
 public:
  explicit ComparingHost(Host& real)
      : real_(real),
        mounts_(real.mounts()),
        quotas_(real.quotas()),
        addresses_(real.addresses()),
        users_(real.users()),
        files_(real.files()),
        notes_(real.notes()) {}
  Mounts& mounts() override { return mounts_; }
  Quotas& quotas() override { return quotas_; }
  Addresses& addresses() override { return addresses_; }
  Users& users() override { return users_; }
  Files& files() override { return files_; }
  Notes& notes() override { return notes_; }
  // No step that is compared uses these four.
  Hooks& hooks() override { return real_.hooks(); }
  Reloads& reloads() override { return real_.reloads(); }
  Exports& exports() override { return real_.exports(); }
  VirtualServices& virtual_services() override { return real_.virtual_services(); }
  System& system() override { return real_.system(); }

 private:
  Host& real_;
  ComparingMounts mounts_;
  ComparingQuotas quotas_;
  ComparingAddresses addresses_;
  ComparingUsers users_;
  ComparingFiles files_;
  ComparingNotes notes_;
};

}  // namespace

std::unique_ptr<Host> MakeComparingHost(Host& host) {
  return std::make_unique<ComparingHost>(host);
}

Step Compared(Step step) {
  step.independent = true;
  step.run = [run = std::move(step.run)](Host& host) {
    StepResult result = run(*MakeComparingHost(host));
    result.warning = result.reason != Reason::kNone;
    return result;
  };
  return step;
}

}  // namespace hostq::agent
