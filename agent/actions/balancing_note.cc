#include "agent/actions/balancing_note.h"

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/error.h"

namespace hostq::agent {
namespace {

constexpr char kLock[] = "balancing";
constexpr char kTable[] = "balancing/table";
constexpr char kLeaving[] = "balancing/leaving";
constexpr char kBalancers[] = "balancing/balancers";

absl::StatusOr<std::vector<std::string>> ReadList(Host& host, const std::string& name) {
  HOSTQ_ASSIGN_OR_RETURN(const auto note, host.notes().Read(NoteLife::kDurable, name));
  return std::vector<std::string>(absl::StrSplit(note.value_or(""), '\n', absl::SkipEmpty()));
}

// Nothing: it was never given one.
absl::StatusOr<std::optional<v1::BalancingTable>> ReadTable(Host& host) {
  HOSTQ_ASSIGN_OR_RETURN(const auto note, host.notes().Read(NoteLife::kDurable, kTable));
  v1::BalancingTable table;
  // One that cannot be read is as good as none: whoever comes next brings a whole one.
  if (!note || !table.ParseFromString(*note)) return std::optional<v1::BalancingTable>();
  return std::optional<v1::BalancingTable>(std::move(table));
}

}  // namespace

absl::StatusOr<std::shared_ptr<void>> LockBalancing(Host& host) { return host.notes().Lock(kLock); }

absl::StatusOr<v1::BalancingTable> NoteTable(Host& host, const v1::BalancingTable& given) {
  HOSTQ_ASSIGN_OR_RETURN(const auto old, ReadTable(host));
  if (old && old->revision() > given.revision()) return *old;
  if (old && old->SerializeAsString() == given.SerializeAsString()) return given;
  // First what leaves, so that nothing is forgotten if this ends in between.
  HOSTQ_ASSIGN_OR_RETURN(std::set<std::string> leaving, ReadLeaving(host));
  if (old) leaving.insert(old->addresses().begin(), old->addresses().end());
  for (const std::string& address : given.addresses()) leaving.erase(address);
  HOSTQ_RETURN_IF_ERROR(
      host.notes().Write(NoteLife::kDurable, kLeaving, absl::StrJoin(leaving, "\n")));
  HOSTQ_RETURN_IF_ERROR(host.notes().Write(NoteLife::kDurable, kTable, given.SerializeAsString()));
  return given;
}

absl::StatusOr<std::set<std::string>> ReadLeaving(Host& host) {
  HOSTQ_ASSIGN_OR_RETURN(const auto list, ReadList(host, kLeaving));
  return std::set<std::string>(list.begin(), list.end());
}

absl::Status ForgetLeaving(Host& host) { return host.notes().Remove(NoteLife::kDurable, kLeaving); }

absl::StatusOr<std::vector<std::string>> ReadBalancers(Host& host) {
  return ReadList(host, kBalancers);
}

absl::Status NoteBalancers(Host& host, const std::vector<std::string>& balancers) {
  return host.notes().Write(NoteLife::kDurable, kBalancers, absl::StrJoin(balancers, "\n"));
}

}  // namespace hostq::agent
