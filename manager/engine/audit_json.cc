#include "manager/engine/audit_json.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/id.h"
#include "manager/domain/audit.h"

namespace hostq::manager {
namespace {

// More do not fit into an entry.
constexpr size_t kMaxListed = 100;

std::string StateOf(const Task& task) {
  if (task.outcome != Outcome::kNone) return std::string(NameOf(task.outcome));
  const bool cancelled = task.cancel_time != absl::InfiniteFuture();
  return absl::StrCat(NameOf(task.phase), cancelled ? ", cancellation asked for" : "");
}

}  // namespace

std::string AuditJsonOf(const Command& command) {
  std::string out =
      absl::StrCat("{\"id\":", JsonText(FormatId(command.id)), ",\"kind\":", JsonText(command.kind),
                   ",\"resource_key\":", JsonText(command.resource_key), ",\"nodes\":[");
  size_t listed = 0;
  for (const Task& task : command.tasks) {
    if (listed == kMaxListed) break;
    absl::StrAppend(&out, listed++ == 0 ? "" : ",", JsonText(task.node));
  }
  const size_t more = command.tasks.size() - listed;
  return absl::StrCat(out, "]", more > 0 ? absl::StrCat(",\"more_nodes\":", more) : "", "}");
}

TasksJson AuditJsonOf(absl::Span<const Mutation> mutations, const std::string& note) {
  // By task: as it was before the first change, and after the last one.
  std::map<std::string, std::pair<std::string, std::string>> tasks;
  size_t more = 0;
  for (const Mutation& mutation : mutations) {
    const auto* update = std::get_if<UpdateTask>(&mutation);
    if (update == nullptr) continue;
    const std::string id = TaskIdOf(update->command, update->task.node);
    if (tasks.size() == kMaxListed && tasks.count(id) == 0) {
      ++more;
      continue;
    }
    const auto found = tasks.try_emplace(id, NameOf(update->from), "").first;
    found->second.second = StateOf(update->task);
  }
  TasksJson json;
  for (const auto& [id, states] : tasks) {
    const char* const comma = json.before.empty() ? "" : ",";
    absl::StrAppend(&json.before, comma, JsonText(id), ":", JsonText(states.first));
    absl::StrAppend(&json.after, comma, JsonText(id), ":", JsonText(states.second));
  }
  const std::string rest = more > 0 ? absl::StrCat(",\"more_changes\":", more) : "";
  const std::string why = note.empty() ? "" : absl::StrCat(",\"note\":", JsonText(note));
  json.before = absl::StrCat("{\"tasks\":{", json.before, "}", rest, "}");
  json.after = absl::StrCat("{\"tasks\":{", json.after, "}", rest, why, "}");
  return json;
}

}  // namespace hostq::manager
