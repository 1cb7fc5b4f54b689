#include <set>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "agent/actions/plans.h"
#include "agent/actions/steps.h"
#include "common/base/error.h"
#include "common/base/text.h"

namespace hostq::agent {
namespace {

// exportfs resolves the names of all clients, also of those that are not hostq's.
constexpr absl::Duration kExportTimeout = absl::Seconds(90);
constexpr char kName[] = "exports";
constexpr char kTable[] = "exports/table";

absl::Status Bad(absl::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, Reason::kBadParameters,
                   absl::StrCat("exports: ", message));
}

// The newest list that this node was given.
absl::StatusOr<v1::ExportTable> NoteExports(Host& host, const v1::ExportTable& given) {
  HOSTQ_ASSIGN_OR_RETURN(const auto note, host.notes().Read(NoteLife::kDurable, kTable));
  v1::ExportTable old;
  if (note && old.ParseFromString(*note) && old.revision() > given.revision()) return old;
  HOSTQ_RETURN_IF_ERROR(host.notes().Write(NoteLife::kDurable, kTable, given.SerializeAsString()));
  return given;
}

bool Has(const std::vector<ExportEntry>& entries, const ExportEntry& wanted) {
  return absl::c_any_of(entries, [&](const ExportEntry& entry) {
    return entry.path == wanted.path && entry.client == wanted.client;
  });
}

// What this node is to export besides what its administrator does.
absl::StatusOr<std::vector<ExportEntry>> FindWanted(Host& host, const v1::ExportTable& table,
                                                    const std::vector<ExportEntry>& own,
                                                    int* covered) {
  HOSTQ_ASSIGN_OR_RETURN(const auto addresses, host.addresses().List());
  HOSTQ_ASSIGN_OR_RETURN(const auto in_force, host.exports().List());
  std::set<std::string> mine;
  for (const InterfaceAddress& one : addresses) mine.insert(one.address.ToString());
  std::vector<ExportEntry> wanted;
  for (const v1::Export& entry : table.exports()) {
    if (!mine.contains(entry.server())) continue;
    for (const std::string& client : entry.clients()) {
      const bool theirs = absl::c_any_of(in_force, [&](const ExportEntry& other) {
        return Covers(other, entry.path(), client) && !Has(own, other);
      });
      if (theirs) {
        ++*covered;
      } else {
        wanted.push_back(
            {entry.path(), client, {"rw", "sync", "no_root_squash", "no_subtree_check"}});
      }
    }
  }
  return wanted;
}

absl::Status CheckInForce(Host& host, const std::vector<ExportEntry>& wanted) {
  HOSTQ_ASSIGN_OR_RETURN(const auto in_force, host.exports().List());
  for (const ExportEntry& entry : wanted) {
    if (Has(in_force, entry)) continue;
    return MakeError(
        absl::StatusCode::kFailedPrecondition, Reason::kShareExportFailed,
        absl::StrCat(entry.path, " was exported to ", entry.client, ", but is not in force"));
  }
  return absl::OkStatus();
}

absl::StatusOr<StepResult> Export(Host& host, const v1::ExportTable& given, const Policy& policy) {
  HOSTQ_ASSIGN_OR_RETURN(const auto lock, host.notes().Lock(kName));
  HOSTQ_ASSIGN_OR_RETURN(const v1::ExportTable table, NoteExports(host, given));
  HOSTQ_RETURN_IF_ERROR(CheckExports(policy, table));
  HOSTQ_ASSIGN_OR_RETURN(const auto own, host.exports().ListOwn());
  int covered = 0;
  HOSTQ_ASSIGN_OR_RETURN(const auto wanted, FindWanted(host, table, own, &covered));
  const bool same = wanted == own && CheckInForce(host, wanted).ok();
  if (!same) {
    HOSTQ_RETURN_IF_ERROR(host.exports().PutOwn(wanted));
    HOSTQ_RETURN_IF_ERROR(CheckInForce(host, wanted));
  }
  std::string so = absl::StrCat("exported to ", wanted.size(), " addresses of nodes");
  if (covered > 0) absl::StrAppend(&so, ", and to ", covered, " by the administrator");
  absl::StrAppend(&so, "; revision ", table.revision());
  return same ? Unchanged(std::move(so)) : Changed(std::move(so));
}

}  // namespace

absl::Status CheckExports(const Policy& policy, const v1::ExportTable& table) {
  for (const v1::Export& entry : table.exports()) {
    HOSTQ_RETURN_IF_ERROR(CheckMountPoint(policy, entry.path()));
    if (entry.path().find_first_of(" \t\"'\\#") != std::string::npos) {
      return Bad(absl::StrCat("the path ", Printable(entry.path()), " cannot stand in exports"));
    }
    for (const std::string& client : entry.clients()) {
      if (!IpAddress::Parse(client)) {
        return Bad(absl::StrCat("client ", Printable(client), " is not an IP address"));
      }
    }
  }
  return absl::OkStatus();
}

Step ExportStep(const v1::ExportTable& table, const Policy& policy) {
  return MakeStep(
      kName, [table, policy](Host& host) { return Export(host, table, policy); }, kExportTimeout);
}

// What a storage node does with any kind that brings a list, PlanSteps adds.
Plan PlanSetExports(const v1::SetExports&, const Roles&, const Policy&) {
  return std::vector<Step>();
}

}  // namespace hostq::agent
