#pragma once

#include <vector>

#include "hostq/v1/alarm_service.grpc.pb.h"
#include "manager/api/request.h"
#include "manager/domain/findings.h"

namespace hostq::manager {

// hostq.v1.AlarmService.
class AlarmService final : public v1::AlarmService::CallbackService {
 public:
  explicit AlarmService(const Backend& backend) : backend_(backend) {}

  grpc::ServerUnaryReactor* ListAlarms(grpc::CallbackServerContext* context,
                                       const v1::ListAlarmsRequest* request,
                                       v1::ListAlarmsResponse* response) override;
  grpc::ServerUnaryReactor* ClearAlarm(grpc::CallbackServerContext* context,
                                       const v1::ClearAlarmRequest* request,
                                       v1::ClearAlarmResponse* response) override;

 private:
  const Backend backend_;
};

// Each alarm as a finding, the latest first. On the engine's thread.
std::vector<Finding> ExplainAlarms(const Cluster& cluster);

}  // namespace hostq::manager
