#include "pki.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/error.h"
#include "common/crypto/certificate.h"
#include "common/crypto/identity.h"
#include "common/crypto/secret_file.h"

namespace hostq::bench {
namespace {

void Write(const std::string& path, absl::string_view text) {
  const absl::Status written = WriteFileDurably(path, text, 0600, IfExists::kReplace);
  HOSTQ_CHECK(written.ok());
}

std::string Issue(const std::string& ca_pem, const PrivateKey& ca_key, const PublicKey& key,
                  CertificateSpec spec) {
  spec.not_before = absl::Now() - absl::Hours(1);
  spec.not_after = absl::Now() + absl::Hours(24 * 30);
  const auto pem = IssueCertificate(ca_pem, ca_key, key, spec);
  HOSTQ_CHECK(pem.ok());
  return *pem;
}

}  // namespace

void Pki::Create(const std::string& directory) {
  const PrivateKey ca_key = PrivateKey::Generate();
  const auto ca = MakeAuthorityCertificate(ca_key, "bench", absl::Now() - absl::Hours(2),
                                           absl::Now() + absl::Hours(24 * 365));
  HOSTQ_CHECK(ca.ok());
  const PrivateKey server_key = PrivateKey::Generate();
  CertificateSpec server;
  server.use = CertificateSpec::Use::kServer;
  server.common_name = std::string(kManagerName);
  server.dns_names = {std::string(kManagerName)};
  Write(directory + "/ca.pem", *ca);
  Write(directory + "/ca.key", ca_key.ToPem().Reveal());
  Write(directory + "/server.pem", Issue(*ca, ca_key, server_key.public_key(), server));
  Write(directory + "/server.key", server_key.ToPem().Reveal());
}

Pki::Pki(const std::string& directory)
    : ca_pem_(*ReadFile(directory + "/ca.pem")),
      ca_key_(*PrivateKey::FromPem(*ReadSecretFile(directory + "/ca.key"))) {}

agent::Identity Pki::NodeIdentity(const std::string& name, const std::string& manager) const {
  CertificateSpec spec;
  spec.common_name = name;
  spec.uris = {FormatNodeUri({name, 1})};
  return {node_key_.ToPem(), Issue(ca_pem_, ca_key_, node_key_.public_key(), spec), ca_pem_,
          manager, ""};
}

}  // namespace hostq::bench
