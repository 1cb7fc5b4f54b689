// What the engine writes into the audit.
#include <optional>
#include <utility>

#include "common/base/error.h"
#include "manager/engine/audit_json.h"
#include "manager/engine/engine.h"

namespace hostq::manager {

void Engine::Record(const Origin& origin, const absl::Status& outcome, const Now& now,
                    absl::string_view before, absl::string_view after) {
  if (origin.act.empty()) return;
  AuditEntry entry = MakeAuditEntry(origin, outcome, now.wall, before, after);
  if (outcome.ok()) return Write(std::move(entry));
  if (std::optional<AuditEntry> due = refusals_.Add(std::move(entry), now.monotonic)) {
    Write(*std::move(due));
  }
}

void Engine::RecordSubmission(const Origin& origin, const absl::StatusOr<Submitted>& submitted,
                              const Now& now) {
  if (origin.act.empty()) return;
  if (!submitted.ok()) return Record(origin, submitted.status(), now);
  // What is repeated has been done already.
  if (submitted->repeated) return;
  Origin on = origin;
  if (on.target.empty()) on.target = submitted->command.resource_key;
  Record(on, absl::OkStatus(), now, "", AuditJsonOf(submitted->command));
}

// The mutations from `first` on are those of the act.
void Engine::RecordTasks(const Origin& origin, const std::string& note, size_t first,
                         const Now& now) {
  if (origin.act.empty()) return;
  const TasksJson json = AuditJsonOf(absl::MakeConstSpan(changes_.mutations).subspan(first), note);
  Record(origin, absl::OkStatus(), now, json.before, json.after);
}

void Engine::Write(AuditEntry entry) {
  if (failed().ok()) {
    changes_.mutations.push_back(std::move(entry));
  } else if (options_.unaudited) {
    options_.unaudited(entry);
  }
}

void Engine::ReportUnaudited(const Changes& changes) const {
  if (!options_.unaudited) return;
  for (const Mutation& mutation : changes.mutations) {
    if (const auto* entry = std::get_if<AuditEntry>(&mutation)) options_.unaudited(*entry);
  }
}

void Engine::Audit(const Origin& origin, const absl::Status& outcome, absl::string_view before,
                   absl::string_view after) {
  const Now now = ReadClocks();
  std::optional<AuditEntry> entry = MakeAuditEntry(origin, outcome, now.wall, before, after);
  // Here already, so that who is refused all the time does not fill the mailbox.
  if (!outcome.ok()) entry = refusals_.Add(*std::move(entry), now.monotonic);
  if (!entry) return;
  Post([this, entry = *std::move(entry)](const Now&) { Write(entry); }, false);
}

void Engine::FlushRefusals() {
  Post(
      [this](const Now&) {
        for (AuditEntry& entry : refusals_.TakeAll()) Write(std::move(entry));
      },
      false);
}

}  // namespace hostq::manager
