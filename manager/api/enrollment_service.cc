#include "manager/api/enrollment_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
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

// Who it is is unknown until what was shown has been found right.
Origin OriginOf(std::string act, std::string actor, const std::string& peer) {
  Origin origin(std::move(actor));
  origin.source = peer;
  origin.act = std::move(act);
  return origin;
}

}  // namespace

grpc::ServerUnaryReactor* EnrollmentService::Enroll(grpc::CallbackServerContext* context,
                                                    const agent::v1::EnrollRequest* request,
                                                    agent::v1::EnrollResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::string peer = PeerAddress(context->peer());
  const bool taken = workers_.Try([this, peer, request, response, done] {
    const absl::Status status = Run(*request, peer, *response);
    if (!status.ok()) Refused("enrolment", OriginOf("node.enroll", "unknown", peer), status);
    done(status);
  });
  if (!taken) done(absl::ResourceExhaustedError("too many enrolments at once; try again"));
  return reactor;
}

void EnrollmentService::Refused(const std::string& what, const Origin& origin,
                                const absl::Status& status) {
  engine_.Audit(origin, status);
  if (const auto left_out = refusals_.Take(SystemClock().Monotonic())) {
    LogWarning(absl::StrCat(what, " refused"),
               {{"peer", origin.source}, {"status", status}, {"more_not_shown", *left_out}});
  }
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
  Origin origin = OriginOf("node.enroll", "node/" + enrollment.node.name, peer);
  origin.target = origin.actor;
  HOSTQ_RETURN_IF_ERROR(ChangeAndWait(
      engine_,
      [this, issued = ShownCertificate{enrollment.node.name, enrollment.node.incarnation,
                                       enrollment.serial, enrollment.start_time,
                                       enrollment.expire_time, enrollment.authority}](
          const Now& now) { return cluster_.NodeJoined(issued, now); },
      std::move(origin)));
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
  response.set_enrollment_address(enrollment_address_);
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* EnrollmentService::Renew(grpc::CallbackServerContext* context,
                                                   const agent::v1::RenewRequest* request,
                                                   agent::v1::RenewResponse* response) {
  auto* reactor = context->DefaultReactor();
  const Done done = DoneOf(reactor);
  const std::string peer = PeerAddress(context->peer());
  const bool taken = workers_.Try([this, peer, request, response, done] {
    const absl::Status status = RunRenewal(*request, peer, *response);
    if (!status.ok()) Refused("renewal", OriginOf("node.renew", "unknown", peer), status);
    done(status);
  });
  if (!taken) done(absl::ResourceExhaustedError("too many enrolments at once; try again"));
  return reactor;
}

absl::Status EnrollmentService::RunRenewal(const agent::v1::RenewRequest& request,
                                           const std::string& peer,
                                           agent::v1::RenewResponse& response) {
  HOSTQ_ASSIGN_OR_RETURN(Renewal renewal,
                         renewer_.Renew({request.certificate_pem(), request.csr_pem(),
                                         request.authority_pin(), request.signature()},
                                        peer));
  LogInfo("certificate renewed", {{"node", renewal.certificate.node},
                                  {"certificate", renewal.certificate.serial},
                                  {"peer", peer}});
  response.set_certificate_pem(std::move(renewal.certificate_pem));
  response.set_ca_pem(std::move(renewal.ca_pem));
  response.set_manager_address(cluster_.options().agents_address);
  response.set_enrollment_address(enrollment_address_);
  *response.mutable_expire_time() = ToProto(renewal.certificate.not_after);
  return absl::OkStatus();
}

}  // namespace hostq::manager
