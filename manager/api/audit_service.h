#pragma once

#include "hostq/v1/audit_service.grpc.pb.h"
#include "manager/api/request.h"

namespace hostq::manager {

// hostq.v1.AuditService.
class AuditService final : public v1::AuditService::CallbackService {
 public:
  explicit AuditService(const Backend& backend) : backend_(backend) {}

  grpc::ServerUnaryReactor* ListAuditEntries(grpc::CallbackServerContext* context,
                                             const v1::ListAuditEntriesRequest* request,
                                             v1::ListAuditEntriesResponse* response) override;
  grpc::ServerUnaryReactor* GetAuditHead(grpc::CallbackServerContext* context,
                                         const v1::GetAuditHeadRequest* request,
                                         v1::AuditHead* response) override;

 private:
  // On a worker.
  absl::Status ReadPage(const AuditQuery& query, const std::string& filter,
                        v1::ListAuditEntriesResponse& response);

  const Backend backend_;
};

}  // namespace hostq::manager
