#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "manager/cluster/draft.h"
#include "manager/cluster/validate.h"

namespace hostq::manager {

absl::StatusOr<PlannedCommand> Cluster::PlanSetAccountQuota(const v1::SetAccountQuota& request) {
  HOSTQ_ASSIGN_OR_RETURN(storage::v1::Account row,
                         TakeAccount(request.domain(), AccountUse::kCommand));
  HOSTQ_ASSIGN_OR_RETURN(const int64_t quota, NormalQuota("quota_bytes", request.quota_bytes()));
  Draft draft;
  HOSTQ_ASSIGN_OR_RETURN(draft.tasks, AccountTasks(Order::kStorageFirst));
  row.mutable_account()->set_quota_bytes(quota);
  row.set_quota_generation(row.account().generation());
  draft.resource_key = AccountKey(row.account().domain());
  draft.spec.mutable_set_account_quota()->set_domain(row.account().domain());
  draft.spec.mutable_set_account_quota()->set_quota_bytes(quota);
  draft.supersedes = {"set_account_quota", "set_quota"};
  *draft.work.mutable_set_account_quota()->mutable_account() = WorkOf(row);
  Put(std::move(row), draft.changes);
  return Finish(std::move(draft));
}

absl::StatusOr<PlannedCommand> Cluster::PlanSetQuota(const v1::SetQuota& request,
                                                     absl::Span<const std::string> nodes) {
  HOSTQ_ASSIGN_OR_RETURN(storage::v1::Account row,
                         TakeAccount(request.domain(), AccountUse::kCommand));
  HOSTQ_ASSIGN_OR_RETURN(const int64_t quota, NormalQuota("quota_bytes", request.quota_bytes()));
  Draft draft;
  if (nodes.empty()) {
    draft.tasks = InOneStage(NodesWith({v1::Node::STORAGE}));
    if (draft.tasks.empty()) {
      return NoTargets("no node of role storage takes work",
                       "name an app node to set it from there, over rquota");
    }
  } else {
    HOSTQ_ASSIGN_OR_RETURN(const std::vector<std::string> named,
                           NamedNodes(nodes, {v1::Node::APP, v1::Node::STORAGE}));
    draft.tasks = InOneStage(named);
  }
  row.mutable_account()->set_quota_bytes(quota);
  row.set_quota_generation(row.account().generation());
  draft.resource_key = AccountKey(row.account().domain());
  draft.spec.mutable_set_quota()->set_domain(row.account().domain());
  draft.spec.mutable_set_quota()->set_quota_bytes(quota);
  // A set_account_quota that waits on the same node also verifies there: it stays.
  draft.supersedes = {"set_quota"};
  *draft.work.mutable_set_quota()->mutable_account() = WorkOf(row);
  Put(std::move(row), draft.changes);
  return Finish(std::move(draft));
}

void Cluster::TellStorage(const Command& command, const agent::v1::Account& told,
                          ChangeSet& changes) {
  const storage::v1::Account* row = FindAccount(told.domain());
  if (row == nullptr || row->account().uid() != told.uid()) return;
  if (row->account().quota_bytes() != told.quota_bytes()) return;  // a later command does
  std::vector<std::string> untold = NodesWith({v1::Node::STORAGE});
  std::erase_if(untold, [&](const std::string& node) {
    return absl::c_any_of(command.tasks, [&](const Task& task) { return task.node == node; });
  });
  if (untold.empty()) return;
  Draft draft;
  draft.tasks = InOneStage(untold);
  draft.resource_key = AccountKey(told.domain());
  draft.spec.mutable_set_quota()->set_domain(told.domain());
  draft.spec.mutable_set_quota()->set_quota_bytes(told.quota_bytes());
  draft.supersedes = {"set_quota"};
  *draft.work.mutable_set_quota()->mutable_account() = told;
  changes.commands.push_back(Finish(std::move(draft)));
}

}  // namespace hostq::manager
