#pragma once

#include <string>

#include "hostq/v1/manager_service.grpc.pb.h"
#include "manager/access/authority_set.h"
#include "manager/api/request.h"
#include "manager/api/workers.h"
#include "manager/health/checks.h"
#include "manager/health/machine.h"

namespace hostq::manager {

// hostq.v1.ManagerService.
class ManagerService final : public v1::ManagerService::CallbackService {
 public:
  struct Options {
    std::string cluster;
    std::string state_dir;
    std::string database;  // the path of its main file
  };
  // `authorities` and `machine` must outlive it.
  ManagerService(const Backend& backend, AuthoritySet& authorities, Machine& machine,
                 Options options);

  grpc::ServerUnaryReactor* GetOverview(grpc::CallbackServerContext* context,
                                        const v1::GetOverviewRequest* request,
                                        v1::Overview* response) override;
  grpc::ServerUnaryReactor* Diagnose(grpc::CallbackServerContext* context,
                                     const v1::DiagnoseRequest* request,
                                     v1::Diagnosis* response) override;

 private:
  // On the engine's thread.
  v1::Overview MakeOverview(const Queue& queue, const Now& now) const;
  // On the worker.
  v1::Diagnosis MakeDiagnosis();
  absl::StatusOr<DatabaseSize> LookAtDatabase();
  absl::StatusOr<std::vector<Validity>> LookAtAuthorities() const;
  absl::StatusOr<Validity> LookAtCertificate() const;
  absl::StatusOr<AuditLook> LookAtAudit();

  const Backend backend_;
  AuthoritySet& authorities_;
  Machine& machine_;
  const Options options_;
  const absl::Time start_time_;
  // The engine's thread only: the last answer, and until when it is given again, so that those who
  // ask, however many and however often, never take more than a tenth of the engine's time.
  v1::Overview overview_;
  absl::Duration overview_until_;
  // One, so that measuring the disk does not become a load on it; its own, because it waits.
  Workers worker_;
};

}  // namespace hostq::manager
