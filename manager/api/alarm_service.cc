#include "manager/api/alarm_service.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/reason.h"
#include "common/base/text.h"
#include "manager/api/convert.h"

namespace hostq::manager {
namespace {

Finding FindingOf(const storage::v1::Alarm& alarm) {
  const auto reason = static_cast<Reason>(alarm.reason());
  Finding finding;
  finding.node = alarm.node();
  finding.reason = reason;
  finding.since = TimeFromProto(alarm.first_time());
  finding.owner = Owner::kAdministrator;
  finding.summary = alarm.message();
  finding.evidence["subject"] = alarm.subject();
  finding.evidence["count"] = absl::StrCat(alarm.count());
  finding.evidence["last_source"] = alarm.last_source();
  finding.remedy =
      absl::StrReplaceAll(RemedyAbout(reason, finding), {{"SUBJECT", alarm.subject()}});
  finding.stuck = true;
  return finding;
}

std::vector<const storage::v1::Alarm*> Latest(const Cluster& cluster) {
  std::vector<const storage::v1::Alarm*> alarms;
  for (const auto& [subject, alarm] : cluster.alarms()) alarms.push_back(&alarm);
  std::stable_sort(alarms.begin(), alarms.end(), [](const auto* a, const auto* b) {
    return TimeFromProto(a->last_time()) > TimeFromProto(b->last_time());
  });
  return alarms;
}

}  // namespace

std::vector<Finding> ExplainAlarms(const Cluster& cluster) {
  std::vector<Finding> findings;
  for (const storage::v1::Alarm* alarm : Latest(cluster)) findings.push_back(FindingOf(*alarm));
  return findings;
}

grpc::ServerUnaryReactor* AlarmService::ListAlarms(grpc::CallbackServerContext* context,
                                                   const v1::ListAlarmsRequest*,
                                                   v1::ListAlarmsResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.AlarmService.ListAlarms", done);
  if (!caller) return reactor;
  backend_.engine.Read([this, response, done](const auto&, const Now&) {
    for (const storage::v1::Alarm* alarm : Latest(backend_.cluster)) {
      v1::Alarm& out = *response->add_alarms();
      out.set_subject(alarm->subject());
      out.set_reason(alarm->reason());
      out.set_node(alarm->node());
      out.set_message(alarm->message());
      out.set_count(alarm->count());
      *out.mutable_first_time() = alarm->first_time();
      *out.mutable_last_time() = alarm->last_time();
      out.set_last_source(alarm->last_source());
      out.set_remedy(FindingOf(*alarm).remedy);
    }
    done(absl::OkStatus());
  });
  return reactor;
}

grpc::ServerUnaryReactor* AlarmService::ClearAlarm(grpc::CallbackServerContext* context,
                                                   const v1::ClearAlarmRequest* request,
                                                   v1::ClearAlarmResponse*) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::optional<Caller> caller =
      Admit(backend_, *context, "hostq.v1.AlarmService.ClearAlarm", done);
  if (!caller) return reactor;
  backend_.engine.Change(
      [this, request, actor = caller->actor](const Now&) {
        return backend_.cluster.ClearAlarm(request->subject(), actor);
      },
      caller->On(absl::StrCat("alarm/", Printable(request->subject(), 100))), done);
  return reactor;
}

}  // namespace hostq::manager
