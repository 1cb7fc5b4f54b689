#pragma once

#include <functional>
#include <string>

#include "common/log/log_budget.h"
#include "hostq/agent/v1/enrollment.grpc.pb.h"
#include "manager/access/enroller.h"
#include "manager/access/renewer.h"
#include "manager/api/workers.h"
#include "manager/cluster/cluster.h"
#include "manager/engine/engine.h"

namespace hostq::manager {

// hostq.agent.v1.EnrollmentService. That the node has joined is durable before it gets its
// certificate.
class EnrollmentService final : public agent::v1::EnrollmentService::CallbackService {
 public:
  // Told after a node has joined: sessions of its earlier incarnations must end.
  using Joined = std::function<void(const NodeIdentity& node)>;
  // All must outlive the gRPC server. `workers`: its own, because enrolment blocks on the engine.
  EnrollmentService(Enroller& enroller, Renewer& renewer, Engine& engine, Cluster& cluster,
                    Workers& workers, std::string enrollment_address, Joined joined)
      : enroller_(enroller),
        renewer_(renewer),
        engine_(engine),
        cluster_(cluster),
        workers_(workers),
        enrollment_address_(std::move(enrollment_address)),
        joined_(std::move(joined)) {}

  grpc::ServerUnaryReactor* Enroll(grpc::CallbackServerContext* context,
                                   const agent::v1::EnrollRequest* request,
                                   agent::v1::EnrollResponse* response) override;
  grpc::ServerUnaryReactor* Renew(grpc::CallbackServerContext* context,
                                  const agent::v1::RenewRequest* request,
                                  agent::v1::RenewResponse* response) override;

 private:
  absl::Status Run(const agent::v1::EnrollRequest& request, const std::string& peer,
                   agent::v1::EnrollResponse& response);
  absl::Status RunRenewal(const agent::v1::RenewRequest& request, const std::string& peer,
                          agent::v1::RenewResponse& response);
  // Of what: "enrolment". To the log, as far as its budget goes, and to the audit.
  void Refused(const std::string& what, const Origin& origin, const absl::Status& status);

  Enroller& enroller_;
  Renewer& renewer_;
  Engine& engine_;
  Cluster& cluster_;
  Workers& workers_;
  const std::string enrollment_address_;
  const Joined joined_;
  LogBudget refusals_{10};
};

}  // namespace hostq::manager
