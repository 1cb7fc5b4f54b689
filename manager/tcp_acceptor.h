#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "manager/access/rate_limiter.h"

namespace hostq::manager {

// Accepts the connections of one port for gRPC, which by itself takes all that come, so that one
// host can take neither all descriptors nor all memory. A connection too many is closed before a
// byte of it is read. A source is what RateLimitSource says. One thread of its own; what it closes
// is logged at most once a second, with the number of them.
class TcpAcceptor {
 public:
  struct Limits {
    size_t connections = 10'000;
    size_t connections_per_source = 200;
    // New connections of one source.
    RateLimiter::Options rate;
    // Who has sent less than this, or is a stranger (below), has not said who it is. Such
    // connections make room for others: those that are two seconds old when three quarters of
    // `connections` are taken, and any when all are; first of the source that has most of them, of
    // those the ones that have said least, and of those the oldest. 0: none does.
    uint64_t silent_bytes = 0;
    // A connection is not handed on before its first byte has come, and ended if that takes longer
    // than this. 0: handed on at once.
    absl::Duration first_byte;
    // What a connection may send in all, TLS included; then it is ended. 0: as much as it likes.
    uint64_t bytes = 0;
    // The same until Know(), and how long it may take until then.
    uint64_t stranger_bytes = 0;
    absl::Duration stranger_time = absl::InfiniteDuration();
    // A connection that is ended for having sent too much counts as so many new ones of its source.
    int penalty = 0;
  };
  // Takes over the descriptor, which does not block. It must be closed by whoever has it, not
  // kept open by a copy. Called on the acceptor's thread.
  using Deliver = std::function<void(int fd)>;

  // Listens on "ADDRESS:PORT" ("[ADDRESS]:PORT" for IPv6; "::" is IPv4 too) at once; connections
  // wait until Start(). `clock` must outlive it. Does not block.
  // Errors: UNAVAILABLE (INTERNAL): the address is not this machine's, or not free.
  static absl::StatusOr<std::unique_ptr<TcpAcceptor>> Listen(const std::string& host, uint16_t port,
                                                             const Limits& limits, Clock& clock);
  ~TcpAcceptor();

  // Once.
  void Start(Deliver deliver);
  // Ends the connection of the peer "ADDRESS:PORT" ("[ADDRESS]:PORT" for IPv6) if it is open.
  // Thread-safe; does not block.
  void EndConnection(const std::string& peer);
  // Its peer ("ADDRESS:PORT") has shown who it is: it is no stranger any more. Thread-safe; does
  // not block.
  void Know(const std::string& peer);
  // Takes no more; when it returns, `deliver` is not called again. May be called twice.
  void Stop();

 private:
  struct Connection {
    int fd;
    // The socket's name for the kernel: the number is another's when this one has been closed.
    uint64_t cookie;
    std::string source;
    std::string peer;
    absl::Duration since;
    // Ended here; gRPC has not closed it yet. Counts for no limit.
    bool ended = false;
  };
  TcpAcceptor(int listener, int wakeup, int events, const Limits& limits, Clock& clock);
  void Run();
  void AcceptAll();
  bool Hold(int fd);
  void Release(int fd);
  void Take(int fd, const std::string& address, uint16_t port);
  void Sweep();
  bool IsOpen(const Connection& connection) const;
  void Look(Connection& connection);
  bool IsStranger(const Connection& connection);
  void EndHere(Connection& connection, const char* why);
  bool IsHeld(const Connection& connection) const;
  // Ends `wanted` silent connections that came before `before`, or as many as there are.
  void MakeRoom(size_t wanted, absl::Duration before);
  bool HasRoom(absl::Duration now);
  void Forget(const Connection& connection);
  // Of those that it closed.
  struct Refused {
    uint64_t count = 0;
    std::string peer;
    const char* why = "";
  };
  void Refuse(const std::string& peer, const char* why);
  void LogRefused();

  const int listener_;
  const int wakeup_;
  const int events_;  // an epoll
  const Limits limits_;
  Clock& clock_;
  Deliver deliver_;
  RateLimiter limiter_;
  std::vector<Connection> connections_;
  // Descriptors that are not handed on yet, with their cookies: ours to close.
  absl::flat_hash_map<int, uint64_t> held_;
  size_t open_ = 0;  // of them, those that were not ended
  struct Socket {
    int fd;
    uint64_t cookie;
    bool known = false;
  };
  Mutex mutex_;
  absl::flat_hash_map<std::string, Socket> by_peer_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, size_t> by_source_;
  absl::Duration swept_ = -absl::InfiniteDuration();
  absl::Duration no_room_ = -absl::InfiniteDuration();  // when it was found that there is none
  Refused refused_;
  absl::Duration logged_ = -absl::InfiniteDuration();
  std::thread thread_;
};

}  // namespace hostq::manager
