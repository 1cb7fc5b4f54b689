#include "manager/access/certificate_authority.h"

#include <arpa/inet.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/crypto/certificate.h"
#include "common/crypto/secret_file.h"

namespace hostq::manager {
namespace {

absl::Status CannotUse(absl::string_view path, absl::string_view why) {
  return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kInternal,
                   absl::StrCat(path, ": ", why));
}

std::string Folder(const std::string& state_dir) { return absl::StrCat(state_dir, "/ca"); }

absl::Status MakeFolder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return absl::OkStatus();
  return ErrnoError(errno, Reason::kInternal, absl::StrCat("cannot create ", path));
}

bool Exists(const std::string& path) {
  struct stat status = {};
  return ::lstat(path.c_str(), &status) == 0;
}

// The key in the file, which is made if it does not exist. A key without a certificate was left by
// an interrupted run, or somebody lost the certificate: either way this key is the one to go on
// with, because the pin and the nodes' certificates are about the key.
absl::StatusOr<PrivateKey> KeyIn(const std::string& path) {
  const absl::StatusOr<SecretString> pem = ReadSecretFile(path);
  if (absl::IsNotFound(pem.status())) {
    PrivateKey key = PrivateKey::Generate();
    HOSTQ_RETURN_IF_ERROR(WriteFileDurably(path, key.ToPem().Reveal(), 0600, IfExists::kRefuse));
    return key;
  }
  HOSTQ_RETURN_IF_ERROR(pem.status());
  absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(*pem);
  if (!key.ok()) return CannotUse(path, key.status().message());
  return key;
}

// As OpenSSL writes addresses.
std::string Canonical(const std::string& address) {
  unsigned char bytes[16] = {};
  char text[INET6_ADDRSTRLEN] = {};
  for (const int family : {AF_INET, AF_INET6}) {
    if (::inet_pton(family, address.c_str(), bytes) == 1) {
      ::inet_ntop(family, bytes, text, sizeof(text));
      return text;
    }
  }
  return address;
}

// The identity in server.pem, if it can go on being used.
std::optional<TlsIdentity> Reusable(const std::string& path, const std::string& ca_pem,
                                    const std::vector<std::string>& wanted_addresses,
                                    absl::Time now) {
  const absl::StatusOr<SecretString> text = ReadSecretFile(path);
  if (!text.ok()) return std::nullopt;
  const absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(*text);
  const absl::StatusOr<CertificateInfo> info = ParseCertificate(text->Reveal());
  if (!key.ok() || !info.ok() || key->public_key().Hash() != info->key_hash) return std::nullopt;
  std::vector<std::string> addresses = info->ip_addresses;
  std::sort(addresses.begin(), addresses.end());
  const absl::Time half = info->not_before + (info->not_after - info->not_before) / 2;
  if (addresses != wanted_addresses || now >= half ||
      !VerifyCertificate(text->Reveal(), ca_pem, CertificateSpec::Use::kServer, now).ok()) {
    return std::nullopt;
  }
  // The key stands first in the file, then the chain.
  const size_t chain = text->Reveal().find("-----BEGIN CERTIFICATE-----");
  return TlsIdentity{std::string(text->Reveal().substr(chain)), key->ToPem()};
}

}  // namespace

absl::Status CertificateAuthority::Create(const std::string& state_dir,
                                          absl::string_view cluster_name, absl::Time now) {
  const std::string dir = Folder(state_dir);
  HOSTQ_RETURN_IF_ERROR(MakeFolder(dir));
  const std::string certificate_path = absl::StrCat(dir, "/ca.pem");
  if (Exists(certificate_path)) {
    return MakeError(absl::StatusCode::kAlreadyExists, Reason::kInternal,
                     absl::StrCat(certificate_path, " exists: this manager has an authority"));
  }
  return Make(dir, "ca", absl::StrCat(cluster_name.substr(0, 40), " hostq authority"), now);
}

absl::Status CertificateAuthority::Make(const std::string& dir, const std::string& stem,
                                        absl::string_view common_name, absl::Time now) {
  HOSTQ_ASSIGN_OR_RETURN(const PrivateKey key, KeyIn(absl::StrCat(dir, "/", stem, ".key")));
  HOSTQ_ASSIGN_OR_RETURN(const std::string pem,
                         MakeAuthorityCertificate(key, common_name, now - kCertificateBackdating,
                                                  now + kAuthorityLife));
  return WriteFileDurably(absl::StrCat(dir, "/", stem, ".pem"), pem, 0644, IfExists::kRefuse);
}

absl::Status CertificateAuthority::CheckImport(absl::string_view ca_pem,
                                               const SecretString& key_pem, absl::Time now) {
  const auto bad = [](absl::string_view why) {
    return MakeError(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument, why);
  };
  const absl::StatusOr<std::vector<std::string>> chain = SplitCertificates(ca_pem);
  if (!chain.ok()) return bad("the authority's certificate: not certificates in PEM");
  HOSTQ_ASSIGN_OR_RETURN(const CertificateInfo info, ParseCertificate(chain->front()));
  if (!info.is_authority) {
    return bad(absl::StrCat("the authority's certificate: ", info.subject,
                            " is no authority's: wanted CA:TRUE, and keyCertSign among its uses"));
  }
  if (now < info.not_before || now >= info.not_after) {
    return bad(absl::StrCat("the authority's certificate: valid from ",
                            absl::FormatTime(info.not_before, absl::UTCTimeZone()), " to ",
                            absl::FormatTime(info.not_after, absl::UTCTimeZone()), ", not now"));
  }
  const absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(key_pem);
  if (!key.ok()) {
    return bad(absl::StrCat("the authority's key: ", key.status().message(),
                            "; wanted: not encrypted, on the curve P-256 (openssl genpkey "
                            "-algorithm EC -pkeyopt ec_paramgen_curve:P-256)"));
  }
  if (key->public_key().Hash() != info.key_hash) {
    return bad(
        absl::StrCat("the authority's key: not the one of the certificate of ", info.subject));
  }
  return absl::OkStatus();
}

absl::Status CertificateAuthority::Import(const std::string& dir, const std::string& stem,
                                          absl::string_view ca_pem, const SecretString& key_pem,
                                          absl::Time now) {
  HOSTQ_RETURN_IF_ERROR(CheckImport(ca_pem, key_pem, now));
  HOSTQ_ASSIGN_OR_RETURN(const std::vector<std::string> chain, SplitCertificates(ca_pem));
  HOSTQ_ASSIGN_OR_RETURN(const PrivateKey key, PrivateKey::FromPem(key_pem));
  HOSTQ_RETURN_IF_ERROR(MakeFolder(dir));
  HOSTQ_RETURN_IF_ERROR(WriteFileDurably(absl::StrCat(dir, "/", stem, ".key"), key.ToPem().Reveal(),
                                         0600, IfExists::kReplace));
  return WriteFileDurably(absl::StrCat(dir, "/", stem, ".pem"), chain.front(), 0644,
                          IfExists::kRefuse);
}

absl::StatusOr<std::unique_ptr<CertificateAuthority>> CertificateAuthority::Open(
    const std::string& state_dir, absl::Time now) {
  HOSTQ_ASSIGN_OR_RETURN(auto authority, Load(Folder(state_dir), "ca"));
  if (now < authority->not_after()) return authority;
  return CannotUse(absl::StrCat(Folder(state_dir), "/ca.pem"), "expired");
}

absl::StatusOr<std::unique_ptr<CertificateAuthority>> CertificateAuthority::Load(
    const std::string& dir, const std::string& stem) {
  const std::string certificate_path = absl::StrCat(dir, "/", stem, ".pem");
  const std::string key_path = absl::StrCat(dir, "/", stem, ".key");
  absl::StatusOr<std::string> pem = ReadFile(certificate_path);
  if (absl::IsNotFound(pem.status())) {
    return MakeError(absl::StatusCode::kNotFound, Reason::kInternal,
                     absl::StrCat(certificate_path,
                                  " does not exist: 'hostq-manager init' makes the authority"));
  }
  HOSTQ_RETURN_IF_ERROR(pem.status());
  HOSTQ_ASSIGN_OR_RETURN(const SecretString key_pem, ReadSecretFile(key_path));
  absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(key_pem);
  if (!key.ok()) return CannotUse(key_path, key.status().message());
  const absl::StatusOr<CertificateInfo> info = ParseCertificate(*pem);
  if (!info.ok()) return CannotUse(certificate_path, info.status().message());
  if (!info->is_authority) return CannotUse(certificate_path, "not an authority's certificate");
  if (info->key_hash != key->public_key().Hash()) {
    return CannotUse(key_path, absl::StrCat("not the key of ", stem, ".pem"));
  }
  auto authority = std::unique_ptr<CertificateAuthority>(
      new CertificateAuthority(dir, *std::move(pem), *std::move(key)));
  authority->pin_ = info->key_hash;
  authority->not_before_ = info->not_before;
  authority->not_after_ = info->not_after;
  authority->subject_ = info->subject;
  authority->signed_by_another_ = info->subject != info->issuer;
  return authority;
}

absl::StatusOr<TlsIdentity> CertificateAuthority::ServerIdentity(
    const std::vector<std::string>& ip_addresses, absl::Time now) const {
  std::vector<std::string> addresses = {"127.0.0.1", "::1"};
  for (const std::string& address : ip_addresses) addresses.push_back(Canonical(address));
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  const std::string path = absl::StrCat(dir_, "/server.pem");
  if (auto identity = Reusable(path, ca_pem_, addresses, now)) return *std::move(identity);
  const PrivateKey key = PrivateKey::Generate();
  CertificateSpec spec;
  spec.use = CertificateSpec::Use::kServer;
  spec.common_name = std::string(kManagerName);
  spec.dns_names = {std::string(kManagerName), "localhost"};
  spec.ip_addresses = addresses;
  spec.not_before = now - kCertificateBackdating;
  spec.not_after = std::min(now + kServerCertificateLife, not_after_);
  HOSTQ_ASSIGN_OR_RETURN(const std::string pem,
                         IssueCertificate(ca_pem_, key_, key.public_key(), spec));
  TlsIdentity identity{absl::StrCat(pem, ca_pem_), key.ToPem()};
  // One file, so that key and certificate always belong together.
  const SecretString contents(
      absl::StrCat(identity.private_key_pem.Reveal(), identity.certificate_chain_pem));
  HOSTQ_RETURN_IF_ERROR(WriteFileDurably(path, contents.Reveal(), 0600, IfExists::kReplace));
  return identity;
}

absl::StatusOr<IssuedCertificate> CertificateAuthority::IssueNode(absl::string_view csr_pem,
                                                                  const NodeIdentity& node,
                                                                  absl::Duration life,
                                                                  absl::Time now) const {
  return Issue(csr_pem, node.name, FormatNodeUri(node), life, now);
}

absl::StatusOr<IssuedCertificate> CertificateAuthority::IssueAdministrator(
    absl::string_view csr_pem, absl::string_view name, absl::Duration life, absl::Time now) const {
  return Issue(csr_pem, name, FormatAdministratorUri(name), life, now);
}

absl::StatusOr<IssuedCertificate> CertificateAuthority::Issue(absl::string_view csr_pem,
                                                              absl::string_view name,
                                                              std::string uri, absl::Duration life,
                                                              absl::Time now) const {
  HOSTQ_ASSIGN_OR_RETURN(const CertificateRequest request, ParseCertificateRequest(csr_pem));
  if (now >= not_after_) return CannotUse(absl::StrCat("authority ", subject_), "expired");
  CertificateSpec spec;
  spec.use = CertificateSpec::Use::kClient;
  spec.common_name = std::string(name);
  spec.uris = {std::move(uri)};
  spec.not_before = now - kCertificateBackdating;
  spec.not_after = std::min(now + life, not_after_);
  HOSTQ_ASSIGN_OR_RETURN(std::string pem, IssueCertificate(ca_pem_, key_, request.key, spec));
  HOSTQ_ASSIGN_OR_RETURN(const CertificateInfo info, ParseCertificate(pem));
  return IssuedCertificate{std::move(pem), info.serial, info.not_before,
                           info.not_after, pin_,        info.hash};
}

}  // namespace hostq::manager
