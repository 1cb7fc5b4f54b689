#include "manager/api/enrollment_service.h"

#include "common/base/error.h"
#include "common/log/log.h"
#include "common/rpc/peer.h"
#include "manager/api/convert.h"
#include "manager/api/engine_token_store.h"
#include "manager/api/request.h"

namespace hostq::manager {
namespace {

constexpr size_t kMaxToken = 256;
constexpr size_t kMaxCsr = 8 << 10;

}  // namespace

grpc::ServerUnaryReactor* EnrollmentService::Enroll(grpc::CallbackServerContext* context,
                                                    const agent::v1::EnrollRequest* request,
                                                    agent::v1::EnrollResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::string peer = PeerAddress(context->peer());
  const bool taken = workers_.Try([this, peer, request, response, done] {
    const absl::Status status = Run(*request, peer, *response);
    if (!status.ok()) LogWarning("enrolment refused", {{"peer", peer}, {"status", status}});
    done(status);
  });
  if (!taken) done(absl::ResourceExhaustedError("too many enrolments at once; try again"));
  return reactor;
}

absl::Status EnrollmentService::Run(const agent::v1::EnrollRequest& request,
                                    const std::string& peer, agent::v1::EnrollResponse& response) {
  if (request.token().size() > kMaxToken || request.csr_pem().size() > kMaxCsr) {
    return MakeError(absl::StatusCode::kInvalidArgument, Reason::kRequestTooLarge,
                     "the request is larger than a token and a request for a certificate are");
  }
  const SecretString token{absl::string_view(request.token())};
  HOSTQ_ASSIGN_OR_RETURN(const Enrollment enrollment,
                         enroller_.Enroll(token, request.csr_pem(), peer));
  HOSTQ_RETURN_IF_ERROR(ChangeAndWait(
      engine_,
      [this, node = enrollment.node, serial = enrollment.serial,
       expire_time = enrollment.expire_time](const Now& now) {
        return cluster_.NodeJoined(node.name, node.incarnation, serial, expire_time, now);
      },
      "node/" + enrollment.node.name));
  joined_(enrollment.node);
  LogInfo("node enrolled", {{"node", enrollment.node.name},
                            {"incarnation", enrollment.node.incarnation},
                            {"certificate", enrollment.serial},
                            {"peer", peer}});
  response.set_node(enrollment.node.name);
  response.set_certificate_pem(enrollment.certificate_pem);
  response.set_ca_pem(enrollment.ca_pem);
  response.set_manager_address(enrollment.manager_address);
  *response.mutable_expire_time() = ToProto(enrollment.expire_time);
  return absl::OkStatus();
}

}  // namespace hostq::manager
