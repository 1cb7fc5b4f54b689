#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hostq::agent {

// A directory that the NFS server gives to a client: an address, a network, a name or a pattern.
struct ExportEntry {
  std::string path;
  std::string client;
  // "rw", "no_root_squash", ...
  std::vector<std::string> options;
  friend bool operator==(const ExportEntry&, const ExportEntry&) = default;
};

// The seam to the NFS server's exports. Errors: TOOL_MISSING, SHARE_EXPORT_FAILED,
// PERMISSION_DENIED, OUT_OF_RESOURCES, INTERNAL.
class Exports {
 public:
  virtual ~Exports() = default;
  // What is in force, whoever asked for it.
  virtual absl::StatusOr<std::vector<ExportEntry>> List() = 0;
  // What hostq asked for, in a file of its own.
  virtual absl::StatusOr<std::vector<ExportEntry>> ListOwn() = 0;
  // Makes the file, durably, and puts all files in force.
  virtual absl::Status PutOwn(const std::vector<ExportEntry>& entries) = 0;
};

// Of lines "PATH CLIENT(OPTION,...)", as in etab and in hostq's own file; what cannot be read is
// left out.
std::vector<ExportEntry> ParseExports(absl::string_view text);
// For such a file. Paths must have no blanks, quotes or backslashes.
std::string FormatExports(const std::vector<ExportEntry>& entries);
// Whether `entry` lets the host with the address `client` (IPv4 or IPv6) at the directory.
bool Covers(const ExportEntry& entry, absl::string_view path, absl::string_view client);

}  // namespace hostq::agent
