#include "manager/cluster/notice_rows.h"

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "manager/cluster/draft.h"

namespace hostq::manager {
namespace {

constexpr char kNotice[] = "notice";

storage::v1::Notice RowOf(const Notice& notice) {
  storage::v1::Notice row;
  const Cause& cause = notice.cause;
  row.set_cause(cause.Id());
  row.set_subject(cause.subject);
  row.set_reason(static_cast<v1::Reason::Code>(cause.reason));
  row.set_owner(static_cast<int>(cause.owner));
  *row.mutable_since_time() = ToTimestamp(cause.since);
  *row.mutable_raise_time() = ToTimestamp(notice.raise_time);
  if (notice.cleared()) *row.mutable_clear_time() = ToTimestamp(notice.clear_time);
  row.set_summary(cause.summary);
  row.set_remedy(cause.remedy);
  row.set_tasks(cause.tasks + cause.waiting);
  for (const std::string& node : cause.nodes) row.add_nodes(node);
  row.set_mail_raised(notice.mail_raised);
  row.set_mail_cleared(notice.mail_cleared);
  return row;
}

Notice NoticeOf(const storage::v1::Notice& row) {
  Notice notice;
  notice.cause.subject = row.subject();
  notice.cause.reason = static_cast<Reason>(row.reason());
  notice.cause.owner = static_cast<Owner>(row.owner());
  notice.cause.since = FromTimestamp(row.since_time());
  notice.cause.summary = row.summary();
  notice.cause.remedy = row.remedy();
  notice.cause.tasks = row.tasks();
  notice.cause.nodes.assign(row.nodes().begin(), row.nodes().end());
  notice.raise_time = FromTimestamp(row.raise_time());
  if (row.has_clear_time()) notice.clear_time = FromTimestamp(row.clear_time());
  notice.mail_raised = row.mail_raised();
  notice.mail_cleared = row.mail_cleared();
  return notice;
}

}  // namespace

absl::StatusOr<bool> NoticeRows::Load(const ResourceChange& row) {
  if (row.kind != kNotice) return false;
  storage::v1::Notice notice;
  if (!row.data || !notice.ParseFromString(*row.data) || notice.cause() != row.key) {
    return MakeError(absl::StatusCode::kDataLoss, Reason::kStoreUnavailable,
                     absl::StrCat("stored notice ", Printable(row.key), " cannot be read"));
  }
  rows_[row.key] = std::move(notice);
  return true;
}

void NoticeRows::AddRows(std::vector<ResourceChange>& out) const {
  for (const auto& [key, row] : rows_) out.push_back({kNotice, key, row.SerializeAsString()});
}

std::vector<Notice> NoticeRows::All() const {
  std::vector<Notice> notices;
  notices.reserve(rows_.size());
  for (const auto& [key, row] : rows_) notices.push_back(NoticeOf(row));
  return notices;
}

void NoticeRows::Put(const std::string& key, const std::optional<Notice>& notice,
                     ChangeSet& changes) {
  if (!notice) {
    if (rows_.erase(key) > 0) changes.resources.push_back({kNotice, key, std::nullopt});
    return;
  }
  storage::v1::Notice row = RowOf(*notice);
  changes.resources.push_back({kNotice, key, row.SerializeAsString()});
  rows_[key] = std::move(row);
}

std::optional<Finding> NoticeRows::MailFinding() const {
  if (mail_.first.ok()) return std::nullopt;
  Finding finding;
  finding.reason = Reason::kMailFailing;
  finding.since = mail_.second;
  finding.owner = InfoOf(Reason::kMailFailing).owner;
  finding.summary = absl::StrCat("notifications cannot be mailed: ", mail_.first.message());
  finding.remedy = std::string(InfoOf(Reason::kMailFailing).remedy);
  finding.stuck = true;
  return finding;
}

}  // namespace hostq::manager
