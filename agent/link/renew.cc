#include "agent/link/renew.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/link/install.h"
#include "common/base/crash_point.h"
#include "common/base/error.h"
#include "common/crypto/certificate.h"
#include "common/crypto/identity.h"
#include "common/crypto/key.h"
#include "common/rpc/credentials.h"
#include "common/rpc/settings.h"
#include "common/rpc/status.h"
#include "common/rpc/tls_check.h"
#include "grpcpp/create_channel.h"
#include "hostq/agent/v1/enrollment.grpc.pb.h"

namespace hostq::agent {
namespace {

// What gRPC says of a connection that never was, or what TLS has against it.
absl::Status Explained(const Identity& identity, const absl::Status& status,
                       absl::Duration timeout) {
  const absl::Status found = CheckTls(identity.enrollment_address, {}, identity.ca_pem, timeout);
  return absl::IsUnauthenticated(found) ? found : status;
}

absl::StatusOr<v1::RenewResponse> Ask(const Identity& identity, const PrivateKey& next,
                                      absl::Duration timeout) {
  HOSTQ_ASSIGN_OR_RETURN(const PrivateKey present, PrivateKey::FromPem(identity.key_pem));
  const std::vector<std::string> pins = PinsOf(identity.ca_pem);
  if (pins.empty() || identity.enrollment_address.empty()) {
    return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kNoBuiltInAuthority,
                     "it is not known where to ask for another certificate");
  }
  grpc::ChannelArguments arguments;
  ConfigureChannel(arguments);
  ApplyManagerName(arguments);
  const auto stub = v1::EnrollmentService::NewStub(grpc::CreateCustomChannel(
      identity.enrollment_address, TlsChannelCredentials(identity.ca_pem), arguments));
  v1::RenewRequest request;
  request.set_certificate_pem(identity.certificate_pem);
  request.set_csr_pem(MakeCertificateRequest(next, "hostq-agent"));
  // The authority that was pinned first may have been retired meanwhile: each one is tried.
  absl::Status status;
  for (const std::string& pin : pins) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
    request.set_authority_pin(pin);
    request.set_signature(present.Sign(RenewalText(pin, request.csr_pem())));
    v1::RenewResponse response;
    status = FromGrpc(stub->Renew(&context, request, &response));
    if (status.ok()) return response;
    if (absl::IsUnavailable(status)) return Explained(identity, status, timeout);
    if (!absl::IsUnauthenticated(status)) return status;
  }
  return status;
}

}  // namespace

absl::StatusOr<Identity> Renew(const std::string& state_dir, const Identity& identity,
                               absl::Duration timeout) {
  const std::string pending = PendingDirectory(state_dir, Pending::kRenewal);
  DropLeftovers(pending);
  HOSTQ_RETURN_IF_ERROR(MakeDirectory(pending));
  HOSTQ_ASSIGN_OR_RETURN(const PrivateKey key, PendingKey(pending));
  HOSTQ_ASSIGN_OR_RETURN(const v1::RenewResponse response, Ask(identity, key, timeout));
  CrashPoint("agent.renewal_received");
  // The connection was to a manager of an authority that is trusted already.
  Identity next = {
      key.ToPem(), response.certificate_pem(),
      PinsOf(response.ca_pem()).empty() ? identity.ca_pem : response.ca_pem(),
      response.manager_address().empty() ? identity.manager_address : response.manager_address(),
      response.enrollment_address().empty() ? identity.enrollment_address
                                            : response.enrollment_address()};
  HOSTQ_RETURN_IF_ERROR(CheckIssued(response.certificate_pem(), next.ca_pem, key));
  HOSTQ_RETURN_IF_ERROR(InstallRenewed(state_dir, next, identity));
  return next;
}

}  // namespace hostq::agent
