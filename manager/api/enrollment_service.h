#pragma once

#include <functional>
#include <string>

#include "hostq/agent/v1/enrollment.grpc.pb.h"
#include "manager/access/enroller.h"
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
  EnrollmentService(Enroller& enroller, Engine& engine, Cluster& cluster, Workers& workers,
                    Joined joined)
      : enroller_(enroller),
        engine_(engine),
        cluster_(cluster),
        workers_(workers),
        joined_(std::move(joined)) {}

  grpc::ServerUnaryReactor* Enroll(grpc::CallbackServerContext* context,
                                   const agent::v1::EnrollRequest* request,
                                   agent::v1::EnrollResponse* response) override;

 private:
  absl::Status Run(const agent::v1::EnrollRequest& request, const std::string& peer,
                   agent::v1::EnrollResponse& response);

  Enroller& enroller_;
  Engine& engine_;
  Cluster& cluster_;
  Workers& workers_;
  const Joined joined_;
};

}  // namespace hostq::manager
