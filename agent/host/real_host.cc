#include "agent/host/real_host.h"

#include <utility>

#include "agent/host/linux_parts.h"

namespace hostq::agent {
namespace {

class RealHost final : public Host {
 public:
  explicit RealHost(const RealHostOptions& options)
      : files_(MakeLinuxFiles()),
        mounts_(MakeLinuxMounts(options, *files_)),
        quotas_(MakeConfiguredQuotas(options.quota_rules, MakeLinuxQuotas())),
        addresses_(MakeLinuxAddresses()),
        users_(MakeLinuxUsers()),
        notes_(MakeLinuxNotes(options)),
        hooks_(MakeLinuxHooks()),
        reloads_(MakeLinuxReloads(options)),
        exports_(MakeLinuxExports()),
        virtual_services_(MakeLinuxVirtualServices()),
        system_(MakeLinuxSystem(options)) {}

  Mounts& mounts() override { return *mounts_; }
  Quotas& quotas() override { return *quotas_; }
  Addresses& addresses() override { return *addresses_; }
  Users& users() override { return *users_; }
  Files& files() override { return *files_; }
  Notes& notes() override { return *notes_; }
  Hooks& hooks() override { return *hooks_; }
  Reloads& reloads() override { return *reloads_; }
  Exports& exports() override { return *exports_; }
  VirtualServices& virtual_services() override { return *virtual_services_; }
  System& system() override { return *system_; }

 private:
  const std::unique_ptr<Files> files_;
  const std::unique_ptr<Mounts> mounts_;
  const std::unique_ptr<Quotas> quotas_;
  const std::unique_ptr<Addresses> addresses_;
  const std::unique_ptr<Users> users_;
  const std::unique_ptr<Notes> notes_;
  const std::unique_ptr<Hooks> hooks_;
  const std::unique_ptr<Reloads> reloads_;
  const std::unique_ptr<Exports> exports_;
  const std::unique_ptr<VirtualServices> virtual_services_;
  const std::unique_ptr<System> system_;
};

}  // namespace

std::unique_ptr<Host> MakeRealHost(const RealHostOptions& options) {
  return std::make_unique<RealHost>(options);
}

}  // namespace hostq::agent
