#include "agent/host/rquota.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/host/evidence.h"
#include "agent/host/file_descriptor.h"
#include "agent/host/network.h"
#include "agent/host/xdr.h"
#include "common/base/error.h"
#include "common/base/random.h"
#include "common/base/text.h"

namespace hostq::agent {
namespace {

constexpr uint32_t kPortmapper = 100000;
constexpr uint32_t kPortmapperGetPort = 3;
constexpr uint32_t kRquota = 100011;
constexpr uint32_t kRquotaVersion = 2;
constexpr uint32_t kGetQuota = 1;
constexpr uint32_t kSetQuota = 3;
constexpr uint32_t kSetLimits = 0x0700 << 8;  // QCMD(Q_RPC_SETQLIM, USRQUOTA)
constexpr uint32_t kUser = 0;                 // USRQUOTA
constexpr uint32_t kRpcBlock = 1024;          // RPC_DQBLK_SIZE
enum Status : uint32_t { kOk = 1, kNoQuota = 2, kDenied = 3 };
// No file system has it; and no user has this id.
constexpr char kImpossiblePath[] = "/.hostq-preflight-nonexistent";
constexpr uint32_t kImpossibleUid = 0xfffffffe;

// Binds to a port below 1024, which only root can; 0 or errno.
int BindPrivileged(int fd, int family, uint32_t seed) {
  constexpr int kLowest = 600;  // below: well-known services
  constexpr int kCount = 1024 - kLowest;
  int error = EADDRINUSE;
  for (int i = 0; i < kCount; ++i) {
    const auto port =
        static_cast<uint16_t>(kLowest + (static_cast<int>(seed % kCount) + i) % kCount);
    sockaddr_storage any = {};
    any.ss_family = static_cast<sa_family_t>(family);
    if (family == AF_INET) {
      reinterpret_cast<sockaddr_in*>(&any)->sin_port = htons(port);
    } else {
      reinterpret_cast<sockaddr_in6*>(&any)->sin6_port = htons(port);
    }
    const socklen_t length = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    if (bind(fd, reinterpret_cast<sockaddr*>(&any), length) == 0) return 0;
    error = errno;
    if (error != EADDRINUSE) break;
  }
  return error;
}

}  // namespace

std::string EncodeRpcCall(uint32_t xid, uint32_t program, uint32_t version, uint32_t procedure,
                          absl::string_view arguments) {
  XdrWriter credentials;
  credentials.U32(0).Opaque("hostq").U32(0).U32(0).U32(0);  // stamp, machine, uid, gid, no groups
  XdrWriter call;
  call.U32(xid).U32(0).U32(2).U32(program).U32(version).U32(procedure);
  call.U32(1).Opaque(credentials.bytes()).U32(0).U32(0).Raw(arguments);  // AUTH_UNIX, no verifier
  return call.bytes();
}

absl::StatusOr<RpcReply> DecodeRpcReply(absl::string_view datagram, uint32_t xid) {
  XdrReader reader(datagram);
  const uint32_t reply_xid = reader.U32();
  const uint32_t direction = reader.U32();
  if (!reader.ok() || reply_xid != xid || direction != 1) {
    return absl::InvalidArgumentError("not an answer to this call");
  }
  RpcReply reply;
  reply.denied = reader.U32() != 0;
  if (reply.denied) {
    reply.reject_stat = reader.U32();
    if (reply.reject_stat == 1) reply.auth_stat = reader.U32();
  } else {
    reader.U32();  // verifier's flavor
    reader.Opaque();
    reply.accept_stat = reader.U32();
  }
  if (!reader.ok()) return absl::InvalidArgumentError("the answer is cut short");
  reply.body = std::string(reader.rest());
  return reply;
}

// struct rquota and sq_dqblk, with limits in the unit of the answer.
struct RquotaClient::Reply {
  uint32_t unit = kRpcBlock;
  uint32_t block_hard = 0;
  uint32_t block_soft = 0;
  uint32_t block_used = 0;
  uint32_t file_hard = 0;
  uint32_t file_soft = 0;
};

absl::Status RquotaClient::Fail(Reason reason, absl::string_view message) const {
  const auto code = reason == Reason::kQuotaServiceUnreachable
                        ? absl::StatusCode::kUnavailable
                        : absl::StatusCode::kFailedPrecondition;
  return WithEvidence(MakeError(code, reason, message), "server", options_.server);
}

absl::StatusOr<RpcReply> RquotaClient::Call(int port, bool privileged, uint32_t program,
                                            uint32_t version, uint32_t procedure,
                                            absl::string_view arguments, absl::string_view what) {
  HOSTQ_ASSIGN_OR_RETURN(const SocketAddress to, Resolve(options_.server, port));
  const FileDescriptor fd(socket(to.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return ErrnoError(errno, Reason::kOutOfResources, "opening a socket");
  const auto xid = static_cast<uint32_t>(RandomSeed());
  if (privileged) {
    if (const int error = BindPrivileged(fd.get(), to.family(), xid); error != 0) {
      return ErrnoError(error, Reason::kPermissionDenied, "binding to a port below 1024");
    }
  }
  if (connect(fd.get(), to.get(), to.length) != 0) {
    return Fail(Reason::kQuotaServiceUnreachable, absl::StrCat(what, ": ", strerror(errno)));
  }
  const std::string call = EncodeRpcCall(xid, program, version, procedure, arguments);
  std::string failure = "no answer";
  for (int i = 0; i < options_.tries; ++i) {
    const absl::Time deadline = absl::Now() + options_.timeout;
    if (send(fd.get(), call.data(), call.size(), 0) < 0) failure = strerror(errno);
    while (true) {
      const int64_t left = absl::ToInt64Milliseconds(deadline - absl::Now());
      pollfd waiting = {fd.get(), POLLIN, 0};
      if (left <= 0 || poll(&waiting, 1, static_cast<int>(left)) <= 0) break;
      char buffer[4096];
      const ssize_t got = recv(fd.get(), buffer, sizeof(buffer), 0);
      if (got < 0) {  // the other side said that nobody listens
        failure = strerror(errno);
        continue;
      }
      auto reply = DecodeRpcReply({buffer, static_cast<size_t>(got)}, xid);
      if (reply.ok()) return reply;  // anything else: a late answer, or noise
    }
  }
  return Fail(Reason::kQuotaServiceUnreachable,
              absl::StrCat(what, " at ", options_.server, " port ", port, "/udp: ", failure, " in ",
                           options_.tries, " tries"));
}

absl::StatusOr<int> RquotaClient::Port() {
  XdrWriter arguments;
  arguments.U32(kRquota).U32(kRquotaVersion).U32(IPPROTO_UDP).U32(0);
  HOSTQ_ASSIGN_OR_RETURN(const RpcReply reply,
                         Call(options_.portmapper_port, false, kPortmapper, 2, kPortmapperGetPort,
                              arguments.bytes(), "asking rpcbind for rquotad's port"));
  XdrReader reader(reply.body);
  const uint32_t port = reader.U32();
  if (reply.denied || reply.accept_stat != 0 || !reader.ok() || port > 65535) {
    return Fail(Reason::kQuotaServiceUnreachable, "rpcbind refuses to tell rquotad's port");
  }
  if (port == 0) {
    return Fail(Reason::kQuotaServiceUnreachable,
                absl::StrCat("rquotad is not registered with rpcbind at ", options_.server));
  }
  return static_cast<int>(port);
}

absl::StatusOr<RpcReply> RquotaClient::CallQuota(uint32_t procedure, absl::string_view arguments,
                                                 absl::string_view what) {
  HOSTQ_ASSIGN_OR_RETURN(const int port, Port());
  HOSTQ_ASSIGN_OR_RETURN(RpcReply reply, Call(port, options_.privileged_port, kRquota,
                                              kRquotaVersion, procedure, arguments, what));
  if (reply.denied) {
    return WithEvidence(
        Fail(Reason::kQuotaSetNotPermitted,
             absl::StrCat(what, ": rquotad at ", options_.server, " refuses (auth_stat ",
                          reply.auth_stat, "): it runs without -S, or refuses this node")),
        "auth_stat", absl::StrCat(reply.auth_stat));
  }
  if (reply.accept_stat == 3 && procedure == kSetQuota) {
    return Fail(Reason::kQuotaSetNotPermitted,
                absl::StrCat(what, ": the quota service at ", options_.server, " can only read"));
  }
  if (reply.accept_stat != 0) {
    return Fail(Reason::kQuotaServiceUnreachable,
                absl::StrCat(what, ": the quota service at ", options_.server,
                             " does not understand (accept_stat ", reply.accept_stat, ")"));
  }
  return reply;
}

absl::StatusOr<RquotaClient::Reply> RquotaClient::GetRaw(const std::string& path, uint32_t uid) {
  const std::string what = absl::StrCat("reading the quota of uid ", uid, " on ", path);
  XdrWriter arguments;
  arguments.Opaque(path).U32(kUser).U32(uid);
  HOSTQ_ASSIGN_OR_RETURN(const RpcReply answer, CallQuota(kGetQuota, arguments.bytes(), what));
  XdrReader reader(answer.body);
  const uint32_t status = reader.U32();
  if (reader.ok() && status == kNoQuota) {
    return WithEvidence(
        Fail(Reason::kQuotaNotEnabled,
             absl::StrCat(what, ": the file server ", options_.server, " has no quotas there")),
        "path", path);
  }
  if (reader.ok() && status == kDenied) {
    return WithEvidence(Fail(Reason::kPermissionDenied, absl::StrCat(what, ": refused")), "path",
                        path);
  }
  Reply reply;
  reply.unit = reader.U32();
  reader.U32();  // active: 1 even if limits are not enforced
  reply.block_hard = reader.U32();
  reply.block_soft = reader.U32();
  reply.block_used = reader.U32();
  reply.file_hard = reader.U32();
  reply.file_soft = reader.U32();
  if (!reader.ok() || status != kOk || reply.unit == 0) {
    return Fail(Reason::kInternal, absl::StrCat(what, ": the answer makes no sense"));
  }
  return reply;
}

absl::StatusOr<uint32_t> RquotaClient::SetRaw(const std::string& path, uint32_t uid,
                                              const Reply& limits, absl::string_view what) {
  XdrWriter arguments;
  arguments.U32(kSetLimits | kUser).Opaque(path).U32(uid).U32(kUser);
  arguments.U32(limits.block_hard).U32(limits.block_soft).U32(0);
  arguments.U32(limits.file_hard).U32(limits.file_soft).U32(0).U32(0).U32(0);
  auto answer = CallQuota(kSetQuota, arguments.bytes(), what);
  if (!answer.ok()) return WithEvidence(answer.status(), "path", path);
  XdrReader reader(answer->body);
  const uint32_t status = reader.U32();
  if (!reader.ok()) {
    return Fail(Reason::kInternal, absl::StrCat(what, ": the answer makes no sense"));
  }
  return status;
}

absl::StatusOr<Quota> RquotaClient::Get(const std::string& path, uint32_t uid) {
  HOSTQ_ASSIGN_OR_RETURN(const Reply reply, GetRaw(path, uid));
  const auto bytes = [&](uint32_t blocks) { return static_cast<int64_t>(blocks) * reply.unit; };
  return Quota{bytes(reply.block_hard), bytes(reply.block_soft), bytes(reply.block_used),
               reply.unit};
}

absl::Status RquotaClient::Set(const std::string& path, uint32_t uid, int64_t hard_bytes) {
  const int64_t blocks = hard_bytes / kRpcBlock + (hard_bytes % kRpcBlock != 0 ? 1 : 0);
  if (hard_bytes < 0 || blocks > 0xffffffffLL) {
    return Fail(Reason::kQuotaTooLarge,
                absl::StrCat("a quota of ", FormatSize(hard_bytes),
                             " cannot be set over NFS, which carries less than 4TiB"));
  }
  HOSTQ_ASSIGN_OR_RETURN(Reply limits, GetRaw(path, uid));
  limits.block_hard = static_cast<uint32_t>(blocks);
  limits.block_soft = 0;
  const std::string what = absl::StrCat("setting the quota of uid ", uid, " on ", path);
  HOSTQ_ASSIGN_OR_RETURN(const uint32_t status, SetRaw(path, uid, limits, what));
  if (status == kOk) return absl::OkStatus();
  const Reason reason =
      status == kNoQuota ? Reason::kQuotaNotEnabled : Reason::kQuotaSetNotPermitted;
  return WithEvidence(Fail(reason, absl::StrCat(what, ": rquotad at ", options_.server,
                                                " answers with status ", status)),
                      "path", path);
}

absl::Status RquotaClient::CheckSettable() {
  HOSTQ_ASSIGN_OR_RETURN(const uint32_t status, SetRaw(kImpossiblePath, kImpossibleUid, Reply{},
                                                       "trying harmlessly to set a quota"));
  if (status == kNoQuota) return absl::OkStatus();
  return Fail(Reason::kQuotaSetNotPermitted,
              absl::StrCat("rquotad at ", options_.server,
                           " answers the harmless trial with status ", status));
}

absl::Status RquotaClient::CheckRegistered() { return Port().status(); }

}  // namespace hostq::agent
