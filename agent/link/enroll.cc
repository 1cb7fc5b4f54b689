#include "agent/link/enroll.h"

#include <stdio.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/link/identity.h"
#include "agent/link/install.h"
#include "common/base/error.h"
#include "common/crypto/certificate.h"
#include "common/crypto/identity.h"
#include "common/crypto/key.h"
#include "common/crypto/secret_file.h"
#include "common/rpc/credentials.h"
#include "common/rpc/pin.h"
#include "common/rpc/settings.h"
#include "common/rpc/status.h"
#include "common/rpc/tls_check.h"
#include "grpcpp/create_channel.h"
#include "hostq/agent/v1/enrollment.grpc.pb.h"

namespace hostq::agent {
namespace {

absl::StatusOr<v1::EnrollResponse> Enroll(const JoinRequest& request, const std::string& ca_pem,
                                          const PrivateKey& key) {
  grpc::ChannelArguments arguments;
  ConfigureChannel(arguments);
  ApplyManagerName(arguments);
  const auto stub = v1::EnrollmentService::NewStub(
      grpc::CreateCustomChannel(request.manager, TlsChannelCredentials(ca_pem), arguments));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + request.timeout));
  v1::EnrollRequest message;
  message.set_token(std::string(request.token.Reveal()));
  message.set_csr_pem(MakeCertificateRequest(key, "hostq-agent"));
  v1::EnrollResponse response;
  const absl::Status status = FromGrpc(stub->Enroll(&context, message, &response));
  if (status.ok()) return response;
  if (absl::IsUnavailable(status)) {
    HOSTQ_RETURN_IF_ERROR(CheckTls(request.manager, {}, ca_pem, request.timeout));
  }
  return status;
}

// The answer must be for our key, and from the authority that was pinned.
absl::Status Check(const v1::EnrollResponse& response, const std::string& ca_pem,
                   const PrivateKey& key) {
  HOSTQ_RETURN_IF_ERROR(CheckIssued(response.certificate_pem(), ca_pem, key));
  if (!response.manager_address().empty()) return absl::OkStatus();
  return MakeError(absl::StatusCode::kDataLoss, Reason::kInternal,
                   "the manager's answer is not usable: no address of the manager in it");
}

// All authorities that the manager named, if the one that was pinned is among them: it vouches for
// the answer. A manager before 0.2 named that one alone.
std::string Trusted(const v1::EnrollResponse& response, const std::string& pinned_pem) {
  return ShareAuthority(response.ca_pem(), pinned_pem) ? response.ca_pem() : pinned_pem;
}

// A line that is run on the wrong machine must not take another node's identity away: its key would
// be gone, and its accounts would be served by nobody.
absl::Status CheckSameNode(const std::string& state_dir, absl::string_view node) {
  const auto old = LoadIdentity(state_dir);
  if (!old.ok()) return absl::OkStatus();
  const auto info = ParseCertificate(old->certificate_pem);
  if (!info.ok() || info->common_name == node) return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kFailedPrecondition, Reason::kNodeExists,
      absl::StrCat("this machine is node ", info->common_name, ", and the line is for ", node,
                   ": run it there. If this machine is to be ", node,
                   " from now on: the same line with --replace"));
}

// A journal belongs to one cluster: another one counts its epochs anew.
absl::Status SetJournalAside(const std::string& state_dir, const std::string& ca_pem) {
  const auto old = LoadIdentity(state_dir);
  if (!old.ok() || ShareAuthority(old->ca_pem, ca_pem)) return absl::OkStatus();
  const std::string path = absl::StrCat(state_dir, "/journal.db");
  const std::string aside = absl::StrCat(path, ".old-", absl::ToUnixSeconds(absl::Now()));
  for (const char* part : {"-wal", "-shm", ""}) {
    const std::string from = absl::StrCat(path, part);
    if (rename(from.c_str(), absl::StrCat(aside, part).c_str()) != 0 && errno != ENOENT) {
      return ErrnoError(errno, Reason::kInternal, absl::StrCat("rename ", from));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Joined> Join(const JoinRequest& request) {
  const std::string pending = PendingDirectory(request.state_dir, Pending::kJoin);
  HOSTQ_RETURN_IF_ERROR(MakeDirectory(request.state_dir));
  if (!request.node.empty() && !request.replace) {
    HOSTQ_RETURN_IF_ERROR(CheckSameNode(request.state_dir, request.node));
  }
  DropReplaced(request.state_dir);
  HOSTQ_RETURN_IF_ERROR(MakeDirectory(pending));
  HOSTQ_ASSIGN_OR_RETURN(const std::string ca_pem,
                         FetchCaByPin(request.manager, request.ca_pin, request.timeout));
  HOSTQ_ASSIGN_OR_RETURN(const PrivateKey key, PendingKey(pending));
  HOSTQ_ASSIGN_OR_RETURN(const v1::EnrollResponse response, Enroll(request, ca_pem, key));
  HOSTQ_RETURN_IF_ERROR(Check(response, ca_pem, key));
  if (!request.replace) {
    HOSTQ_RETURN_IF_ERROR(CheckSameNode(request.state_dir, response.node()));
  }
  HOSTQ_RETURN_IF_ERROR(SetJournalAside(request.state_dir, ca_pem));
  HOSTQ_RETURN_IF_ERROR(InstallJoined(
      request.state_dir, {key.ToPem(), response.certificate_pem(), Trusted(response, ca_pem),
                          response.manager_address(), response.enrollment_address()}));
  return Joined{response.node(), response.manager_address(),
                absl::FromUnixSeconds(response.expire_time().seconds())};
}

absl::StatusOr<Joined> JoinFromOutside(const OutsideIdentity& identity) {
  const auto bad = [](absl::string_view what, absl::string_view why) {
    return MakeError(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument,
                     absl::StrCat(what, ": ", why));
  };
  const auto info = ParseCertificate(identity.certificate_pem);
  if (!info.ok()) return bad("the node's certificate", info.status().message());
  const auto key = PrivateKey::FromPem(identity.key_pem);
  if (!key.ok()) return bad("the node's key", key.status().message());
  if (key->public_key().Hash() != info->key_hash) {
    return bad("the node's key", absl::StrCat("not the one of the certificate of ", info->subject));
  }
  const auto node = info->uris.size() == 1 ? ParseNodeUri(info->uris[0]) : std::nullopt;
  if (!node) {
    return bad("the node's certificate",
               "wanted: exactly one URI, hostq://node/NAME/INCARNATION, as 'hostq node add' says");
  }
  if (PinsOf(identity.ca_pem).empty()) {
    return bad("the authority's certificate", "not certificates in PEM");
  }
  const absl::Status verified = VerifyCertificate(identity.certificate_pem, identity.ca_pem,
                                                  CertificateSpec::Use::kClient, absl::Now());
  if (!verified.ok()) return bad("the node's certificate", verified.message());
  HOSTQ_RETURN_IF_ERROR(MakeDirectory(identity.state_dir));
  if (!identity.replace) {
    HOSTQ_RETURN_IF_ERROR(CheckSameNode(identity.state_dir, node->name));
  }
  HOSTQ_RETURN_IF_ERROR(SetJournalAside(identity.state_dir, identity.ca_pem));
  HOSTQ_RETURN_IF_ERROR(InstallJoined(identity.state_dir, {key->ToPem(), identity.certificate_pem,
                                                           identity.ca_pem, identity.manager, ""}));
  return Joined{node->name, identity.manager, info->not_after};
}

}  // namespace hostq::agent
