#include "manager/api/all_findings.h"

#include <iterator>
#include <optional>
#include <utility>

#include "manager/api/alarm_service.h"

namespace hostq::manager {

std::vector<Finding> AllFindings(const Engine& engine, const Cluster& cluster, const Queue& queue,
                                 const Now& now, bool all) {
  std::vector<Finding> findings;
  const auto add = [&](std::vector<Finding> more) {
    findings.insert(findings.end(), std::make_move_iterator(more.begin()),
                    std::make_move_iterator(more.end()));
  };
  if (const absl::Status failed = engine.failed(); !failed.ok()) {
    findings.push_back(ExplainStore(failed, engine.failed_since()));
  }
  add(ExplainAlarms(cluster));
  add(cluster.webhooks().Findings(now.wall));
  if (std::optional<Finding> mail = cluster.notices().MailFinding()) {
    findings.push_back(*std::move(mail));
  }
  add(ExplainNodes(queue, now));
  add(ExplainAll(queue, now, all));
  return findings;
}

}  // namespace hostq::manager
