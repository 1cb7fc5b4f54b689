#include "common/rpc/peer.h"

#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/error.h"
#include "common/crypto/certificate.h"
#include "common/crypto/identity.h"
#include "grpc/grpc_security_constants.h"

namespace hostq {
namespace {

absl::Status Refused(absl::string_view why) {
  return MakeError(absl::StatusCode::kUnauthenticated, Reason::kUnauthenticated, why);
}

}  // namespace

absl::StatusOr<PeerNode> PeerNodeOf(const grpc::AuthContext& context, absl::Time now) {
  if (!context.IsPeerAuthenticated()) return Refused("no client certificate");
  const std::vector<grpc::string_ref> pems =
      context.FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  if (pems.size() != 1) return Refused("no client certificate");
  const absl::StatusOr<CertificateInfo> info =
      ParseCertificate(absl::string_view(pems[0].data(), pems[0].size()));
  if (!info.ok()) return Refused("client certificate cannot be read");
  if (info->uris.size() != 1) return Refused("client certificate is not a node's");
  const std::optional<NodeIdentity> node = ParseNodeUri(info->uris[0]);
  if (!node) return Refused("client certificate is not a node's");
  if (now < info->not_before || now > info->not_after) {
    return Refused(absl::StrCat("certificate of node ", node->name, " is valid from ",
                                absl::FormatTime(info->not_before, absl::UTCTimeZone()), " to ",
                                absl::FormatTime(info->not_after, absl::UTCTimeZone())));
  }
  return PeerNode{node->name,
                  node->incarnation,
                  info->serial,
                  info->not_before,
                  info->not_after,
                  std::string(pems[0].data(), pems[0].size()),
                  ""};
}

absl::StatusOr<PeerNode> PeerNodeOf(const grpc::ServerContextBase& context, absl::Time now) {
  const auto auth = context.auth_context();
  if (auth == nullptr) return Refused("no client certificate");
  absl::StatusOr<PeerNode> peer = PeerNodeOf(*auth, now);
  if (peer.ok()) peer->address = PeerAddress(context.peer());
  return peer;
}

std::string PeerCertificateOf(const grpc::ServerContextBase& context) {
  const auto auth = context.auth_context();
  if (auth == nullptr) return "";
  const std::vector<grpc::string_ref> pems =
      auth->FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  return pems.empty() ? "" : std::string(pems[0].data(), pems[0].size());
}

absl::StatusOr<PeerAdministrator> PeerAdministratorOf(absl::string_view certificate_pem,
                                                      absl::Time now) {
  const absl::StatusOr<CertificateInfo> info = ParseCertificate(certificate_pem);
  if (!info.ok()) return Refused("client certificate cannot be read");
  const std::optional<std::string> name =
      info->uris.size() == 1 ? ParseAdministratorUri(info->uris[0]) : std::nullopt;
  if (!name) return Refused("client certificate is not an administrator's");
  if (now < info->not_before || now > info->not_after) {
    return Refused(absl::StrCat("certificate of administrator ", *name, " is valid from ",
                                absl::FormatTime(info->not_before, absl::UTCTimeZone()), " to ",
                                absl::FormatTime(info->not_after, absl::UTCTimeZone())));
  }
  return PeerAdministrator{*name, info->hash};
}

std::string PeerAddress(absl::string_view grpc_peer) {
  absl::string_view rest = grpc_peer;
  if (absl::ConsumePrefix(&rest, "ipv4:")) return std::string(rest.substr(0, rest.rfind(':')));
  if (!absl::ConsumePrefix(&rest, "ipv6:")) return std::string(grpc_peer);
  rest = rest.substr(0, rest.rfind(':'));
  // URL-escaped since gRPC 1.40: "%5B::1%5D".
  if (!absl::ConsumePrefix(&rest, "%5B")) absl::ConsumePrefix(&rest, "[");
  if (!absl::ConsumeSuffix(&rest, "%5D")) absl::ConsumeSuffix(&rest, "]");
  // Without the link of a link-local address: "fe80::1%252".
  return std::string(rest.substr(0, rest.find('%')));
}

}  // namespace hostq
