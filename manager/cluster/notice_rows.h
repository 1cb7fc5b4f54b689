#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hostq/storage/v1/webhook.pb.h"
#include "manager/domain/findings.h"
#include "manager/domain/notices.h"
#include "manager/domain/plan.h"

namespace hostq::manager {

// What was told of stuck work, as it is stored, and whether mails go out. A part of Cluster: as
// there.
class NoticeRows {
 public:
  // True: the row is one of these. Errors: DATA_LOSS.
  absl::StatusOr<bool> Load(const ResourceChange& row);
  void AddRows(std::vector<ResourceChange>& out) const;
  std::vector<Notice> All() const;

  // `notice`: nothing: it is deleted.
  void Put(const std::string& key, const std::optional<Notice>& notice, ChangeSet& changes);

  // How the last mail went, and since when it fails. Not stored.
  void SetMail(const absl::Status& status, absl::Time since) { mail_ = {status, since}; }
  // MAIL_FAILING.
  std::optional<Finding> MailFinding() const;

 private:
  std::map<std::string, storage::v1::Notice> rows_;
  std::pair<absl::Status, absl::Time> mail_;
};

}  // namespace hostq::manager
