#include "manager/access/outside_certificates.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/crypto/certificate.h"
#include "common/crypto/identity.h"
#include "common/crypto/key.h"
#include "common/crypto/secret_file.h"

namespace hostq::manager {
namespace {

std::string CaPath(const std::string& dir) { return absl::StrCat(dir, "/outside-ca.pem"); }
std::string ServerPath(const std::string& dir) { return absl::StrCat(dir, "/outside-server.pem"); }
std::string KeyPath(const std::string& dir) { return absl::StrCat(dir, "/outside-server.key"); }

absl::Status Bad(absl::string_view what, absl::string_view why) {
  return MakeError(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument,
                   absl::StrCat("the ", what, " from outside: ", why));
}

}  // namespace

absl::StatusOr<OutsideCertificates> ReadOutside(const std::string& dir) {
  OutsideCertificates files;
  HOSTQ_ASSIGN_OR_RETURN(files.ca_pem, ReadFile(CaPath(dir)));
  HOSTQ_ASSIGN_OR_RETURN(files.server_pem, ReadFile(ServerPath(dir)));
  HOSTQ_ASSIGN_OR_RETURN(files.server_key_pem, ReadSecretFile(KeyPath(dir)));
  return files;
}

absl::Status WriteOutside(const std::string& dir, const OutsideCertificates& files) {
  HOSTQ_RETURN_IF_ERROR(WriteFileDurably(CaPath(dir), files.ca_pem, 0644, IfExists::kReplace));
  HOSTQ_RETURN_IF_ERROR(
      WriteFileDurably(ServerPath(dir), files.server_pem, 0644, IfExists::kReplace));
  return WriteFileDurably(KeyPath(dir), files.server_key_pem.Reveal(), 0600, IfExists::kReplace);
}

absl::Status CheckOutside(const OutsideCertificates& files, absl::Time now) {
  const absl::StatusOr<std::vector<std::string>> authorities = SplitCertificates(files.ca_pem);
  if (!authorities.ok()) return Bad("authority's certificate", authorities.status().message());
  for (const std::string& pem : *authorities) {
    HOSTQ_ASSIGN_OR_RETURN(const CertificateInfo info, ParseCertificate(pem));
    if (info.is_authority) continue;
    return Bad("authority's certificate", absl::StrCat(info.subject, " is no authority's"));
  }
  const absl::StatusOr<CertificateInfo> server = ParseCertificate(files.server_pem);
  if (!server.ok()) return Bad("manager's certificate", server.status().message());
  const absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(files.server_key_pem);
  if (!key.ok()) return Bad("manager's key", key.status().message());
  if (key->public_key().Hash() != server->key_hash) {
    return Bad("manager's key",
               absl::StrCat("not the one of the certificate of ", server->subject));
  }
  const absl::Status verified =
      VerifyCertificate(files.server_pem, files.ca_pem, CertificateSpec::Use::kServer, now);
  if (!verified.ok()) return Bad("manager's certificate", verified.message());
  const auto& names = server->dns_names;
  if (std::find(names.begin(), names.end(), kManagerName) == names.end()) {
    return Bad("manager's certificate", absl::StrCat("does not have the DNS name ", kManagerName,
                                                     ", by which the nodes know a manager"));
  }
  return absl::OkStatus();
}

}  // namespace hostq::manager
