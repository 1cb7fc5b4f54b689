#pragma once

#include <memory>
#include <string>

#include "agent/host/host.h"
#include "agent/host/real_host.h"
#include "common/base/reason.h"

namespace hostq::agent {

// The parts of RealHost, each in the file of its name (linux_mounts.cc, ...).
std::unique_ptr<Mounts> MakeLinuxMounts(const RealHostOptions& options, Files& files);
std::unique_ptr<Quotas> MakeLinuxQuotas();
std::unique_ptr<Addresses> MakeLinuxAddresses();
std::unique_ptr<Users> MakeLinuxUsers();
std::unique_ptr<Files> MakeLinuxFiles();
std::unique_ptr<Notes> MakeLinuxNotes(const RealHostOptions& options);
std::unique_ptr<Hooks> MakeLinuxHooks();
std::unique_ptr<Reloads> MakeLinuxReloads(const RealHostOptions& options);
std::unique_ptr<Exports> MakeLinuxExports();
std::unique_ptr<VirtualServices> MakeLinuxVirtualServices();
std::unique_ptr<System> MakeLinuxSystem(const RealHostOptions& options);

// The best name for an errno of a file operation, on a share or not.
Reason FileReason(int error_number);
// Makes a directory and those above it, mode 0700.
absl::Status MakeDirectories(const std::string& path);

}  // namespace hostq::agent
