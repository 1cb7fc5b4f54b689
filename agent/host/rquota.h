#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/host/quotas.h"
#include "common/base/reason.h"

namespace hostq::agent {

// One answer of ONC RPC version 2.
struct RpcReply {
  bool denied = false;
  // If denied: 0 RPC_MISMATCH, 1 AUTH_ERROR; and auth_stat of the latter (7: AUTH_FAILED).
  uint32_t reject_stat = 0;
  uint32_t auth_stat = 0;
  // If not: 0 SUCCESS, 1 PROG_UNAVAIL, 2 PROG_MISMATCH, 3 PROC_UNAVAIL, 4 GARBAGE_ARGS.
  uint32_t accept_stat = 0;
  std::string body;
};

// The bytes of a call with AUTH_UNIX credentials of root.
std::string EncodeRpcCall(uint32_t xid, uint32_t program, uint32_t version, uint32_t procedure,
                          absl::string_view arguments);
// INVALID_ARGUMENT if `datagram` is no well-formed answer to call `xid`.
absl::StatusOr<RpcReply> DecodeRpcReply(absl::string_view datagram, uint32_t xid);

// Speaks rquota version 2 (the protocol of setquota -r) over UDP with one file server. Blocking; at
// most `tries` times `timeout` for the portmapper and again for rquotad. Errors as Quotas, with the
// evidence server, path, auth_stat.
class RquotaClient {
 public:
  struct Options {
    std::string server;  // numeric address
    int portmapper_port = 111;
    // rquotad refuses to set for callers whose own port is not below 1024.
    bool privileged_port = true;
    // quota-tools waits 2 s as well; datagrams get lost.
    absl::Duration timeout = absl::Seconds(2);
    int tries = 3;
  };
  explicit RquotaClient(Options options) : options_(std::move(options)) {}

  // `path` follows the mount's version: as exported for NFS 3, without the leading slash for 4.
  absl::StatusOr<Quota> Get(const std::string& path, uint32_t uid);
  // The limits on the number of files are read first and kept.
  absl::Status Set(const std::string& path, uint32_t uid, int64_t hard_bytes);
  // Asks to set a quota on a path that cannot exist: who is permitted is told that it has no quota.
  absl::Status CheckSettable();
  // Whether rquotad is registered.
  absl::Status CheckRegistered();

 private:
  struct Reply;
  absl::StatusOr<int> Port();
  absl::StatusOr<RpcReply> Call(int port, bool privileged, uint32_t program, uint32_t version,
                                uint32_t procedure, absl::string_view arguments,
                                absl::string_view what);
  absl::StatusOr<RpcReply> CallQuota(uint32_t procedure, absl::string_view arguments,
                                     absl::string_view what);
  absl::StatusOr<Reply> GetRaw(const std::string& path, uint32_t uid);
  absl::StatusOr<uint32_t> SetRaw(const std::string& path, uint32_t uid, const Reply& limits,
                                  absl::string_view what);
  absl::Status Fail(Reason reason, absl::string_view message) const;

  const Options options_;
};

}  // namespace hostq::agent
