#include "agent/link/enroll.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/link/identity.h"
#include "common/base/error.h"
#include "common/crypto/certificate.h"
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

absl::Status MakeDirectory(const std::string& path) {
  if (mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return absl::OkStatus();
  return ErrnoError(errno, Reason::kInternal, absl::StrCat("mkdir ", path));
}

absl::Status SyncDirectory(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return ErrnoError(errno, Reason::kInternal, absl::StrCat("open ", path));
  const int synced = fsync(fd);
  const int number = errno;
  close(fd);
  if (synced != 0) return ErrnoError(number, Reason::kInternal, absl::StrCat("sync ", path));
  return absl::OkStatus();
}

// The key of an earlier try, or a new one that is on the disk before anybody else hears of it.
absl::StatusOr<PrivateKey> PendingKey(const std::string& directory) {
  const std::string path = absl::StrCat(directory, "/node.key");
  if (auto pem = ReadSecretFile(path); pem.ok()) {
    if (auto key = PrivateKey::FromPem(*pem); key.ok()) return key;
  }
  const PrivateKey key = PrivateKey::Generate();
  HOSTQ_RETURN_IF_ERROR(WriteFileDurably(path, key.ToPem().Reveal(), 0600, IfExists::kReplace));
  return key;
}

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
  const auto bad = [](absl::string_view what) {
    return MakeError(absl::StatusCode::kDataLoss, Reason::kInternal,
                     absl::StrCat("the manager's answer is not usable: ", what));
  };
  const auto certificate = ParseCertificate(response.certificate_pem());
  if (!certificate.ok()) return bad(certificate.status().message());
  if (certificate->key_hash != key.public_key().Hash()) {
    return bad("the certificate is for another key");
  }
  const absl::Status verified = VerifyCertificate(response.certificate_pem(), ca_pem,
                                                  CertificateSpec::Use::kClient, absl::Now());
  if (!verified.ok()) {
    return bad(absl::StrCat(verified.message(), " (is this machine's clock right? ",
                            absl::FormatTime(absl::Now(), absl::UTCTimeZone()), ")"));
  }
  if (response.manager_address().empty()) return bad("no address of the manager in it");
  return absl::OkStatus();
}

// A journal belongs to one cluster: another one counts its epochs anew.
absl::Status SetJournalAside(const std::string& state_dir, const std::string& ca_pem) {
  const auto old = LoadIdentity(state_dir);
  if (!old.ok() || old->ca_pem == ca_pem) return absl::OkStatus();
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

// `pending` takes the place of the identity in one step.
absl::Status Install(const std::string& state_dir, const std::string& pending) {
  const std::string directory = IdentityDirectory(state_dir);
  if (rename(pending.c_str(), directory.c_str()) != 0) {
    if (errno != ENOTEMPTY && errno != EEXIST) {
      return ErrnoError(errno, Reason::kInternal, absl::StrCat("rename ", pending));
    }
    if (renameat2(AT_FDCWD, pending.c_str(), AT_FDCWD, directory.c_str(), RENAME_EXCHANGE) != 0) {
      return ErrnoError(errno, Reason::kInternal, absl::StrCat("exchange ", directory));
    }
    for (const char* name : {"node.key", "node.crt", "ca.crt", "manager"}) {
      unlink(absl::StrCat(pending, "/", name).c_str());
    }
    rmdir(pending.c_str());
  }
  return SyncDirectory(state_dir);
}

}  // namespace

absl::StatusOr<Joined> Join(const JoinRequest& request) {
  const std::string pending = absl::StrCat(IdentityDirectory(request.state_dir), ".new");
  HOSTQ_RETURN_IF_ERROR(MakeDirectory(request.state_dir));
  HOSTQ_RETURN_IF_ERROR(MakeDirectory(pending));
  HOSTQ_ASSIGN_OR_RETURN(const std::string ca_pem,
                         FetchCaByPin(request.manager, request.ca_pin, request.timeout));
  HOSTQ_ASSIGN_OR_RETURN(const PrivateKey key, PendingKey(pending));
  HOSTQ_ASSIGN_OR_RETURN(const v1::EnrollResponse response, Enroll(request, ca_pem, key));
  HOSTQ_RETURN_IF_ERROR(Check(response, ca_pem, key));
  const std::pair<const char*, std::string> files[] = {
      {"/node.crt", response.certificate_pem()},
      {"/ca.crt", ca_pem},
      {"/manager", absl::StrCat(response.manager_address(), "\n")}};
  for (const auto& [name, contents] : files) {
    HOSTQ_RETURN_IF_ERROR(
        WriteFileDurably(absl::StrCat(pending, name), contents, 0600, IfExists::kReplace));
  }
  HOSTQ_RETURN_IF_ERROR(SetJournalAside(request.state_dir, ca_pem));
  HOSTQ_RETURN_IF_ERROR(Install(request.state_dir, pending));
  return Joined{response.node(), response.manager_address(),
                absl::FromUnixSeconds(response.expire_time().seconds())};
}

}  // namespace hostq::agent
