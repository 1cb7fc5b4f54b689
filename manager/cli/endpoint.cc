#include "manager/cli/endpoint.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/error.h"
#include "common/crypto/certificate.h"
#include "common/crypto/key.h"
#include "common/crypto/secret_file.h"
#include "common/rpc/tls_check.h"
#include "manager/cli/tool.h"
#include "manager/cli/words.h"

namespace hostq::cli {
namespace {

constexpr absl::string_view kBegin = "-----BEGIN CERTIFICATE-----";
constexpr absl::string_view kEnd = "-----END CERTIFICATE-----";
constexpr absl::Duration kCheckTimeout = absl::Seconds(5);

absl::Status Unusable(const std::string& path, absl::string_view why) {
  return UsageError(absl::StrCat(Clean(path), ": ", why));
}

absl::Status FileError(const std::string& option, const absl::Status& status) {
  return UsageError(absl::StrCat(option, ": ", status.message()));
}

absl::Status ReadIdentity(const std::string& path, Endpoint& endpoint) {
  const absl::StatusOr<SecretString> text = ReadSecretFile(path);
  if (!text.ok()) return FileError("--identity", text.status());
  const absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(*text);
  if (!key.ok()) return Unusable(path, "has no private key");
  const absl::string_view all = text->Reveal();
  const size_t first = all.find(kBegin);
  const size_t end = first == all.npos ? all.npos : all.find(kEnd, first);
  if (end == all.npos) return Unusable(path, "has no certificate");
  const size_t rest = end + kEnd.size();
  endpoint.identity.certificate_chain_pem = absl::StrCat(all.substr(first, rest - first), "\n");
  endpoint.identity.private_key_pem = key->ToPem();
  const size_t authorities = all.find(kBegin, rest);
  if (authorities == all.npos) return Unusable(path, "has no authority's certificate");
  endpoint.ca_pem = std::string(all.substr(authorities));
  const auto info = ParseCertificate(endpoint.identity.certificate_chain_pem);
  if (!info.ok()) return Unusable(path, "its certificate cannot be read");
  if (info->key_hash != key->public_key().Hash()) {
    return Unusable(path, "its key and its certificate do not belong together");
  }
  return absl::OkStatus();
}

absl::Status ReadKey(const EndpointFiles& files, Endpoint& endpoint) {
  const absl::StatusOr<SecretString> text = ReadSecretFile(files.key, 4096);
  if (!text.ok()) return FileError("--key-file", text.status());
  endpoint.key = SecretString(absl::StripAsciiWhitespace(text->Reveal()));
  if (!absl::StartsWith(endpoint.key.Reveal(), "hostq_")) {
    return Unusable(files.key, "is not an API key: it would begin with hostq_");
  }
  const absl::StatusOr<std::string> ca = ReadFile(files.ca);
  if (!ca.ok()) return FileError("--ca-cert", ca.status());
  if (!ParseCertificate(*ca).ok()) return Unusable(files.ca, "is not a certificate in PEM");
  endpoint.ca_pem = *ca;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Endpoint> OpenEndpoint(const EndpointFiles& files) {
  Endpoint endpoint;
  endpoint.socket = files.socket;
  endpoint.manager = files.manager;
  if (!endpoint.remote()) return endpoint;
  if (files.identity.empty() == files.key.empty()) {
    return WithRemedy(
        UsageError(files.key.empty() ? "--manager needs to know who you are"
                                     : "--identity and --key-file at the same time"),
        "give one of: --identity FILE (hostq administrator add makes it), or --key-file FILE with "
        "--ca-cert FILE");
  }
  if (files.key.empty()) {
    HOSTQ_RETURN_IF_ERROR(ReadIdentity(files.identity, endpoint));
    return endpoint;
  }
  if (files.ca.empty()) {
    return WithRemedy(UsageError("--key-file needs --ca-cert"),
                      "copy it from the manager: ca/trusted.pem in its state directory");
  }
  HOSTQ_RETURN_IF_ERROR(ReadKey(files, endpoint));
  return endpoint;
}

absl::Status WhyRemoteFailed(const Endpoint& endpoint, const absl::Status& status) {
  const absl::Status found =
      CheckTls(endpoint.manager, endpoint.identity, endpoint.ca_pem, kCheckTimeout);
  std::string message =
      found.ok() ? absl::StrCat("manager at ", endpoint.manager, ": ", Clean(status.message()))
                 : absl::StrReplaceAll(Clean(found.message()), {{" of this node", " shown"}});
  const std::string remedy =
      absl::IsUnauthenticated(found)
          ? "compare the clocks of both machines, and the authorities in the file with "
            "ca/trusted.pem of the manager; a new identity: hostq administrator add NAME --out "
            "FILE, on the manager"
          : "is the manager running, and does its listen.api say this address? systemctl status "
            "hostq-manager";
  return WithRemedy(MakeError(status.code(), Reason::kUnauthenticated, message), remedy);
}

SecretString FormatIdentity(const SecretString& key_pem, const std::string& certificate_pem,
                            const std::string& ca_pem) {
  return SecretString(absl::StrCat(key_pem.Reveal(), certificate_pem, ca_pem));
}

}  // namespace hostq::cli
