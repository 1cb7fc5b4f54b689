#pragma once

#include <vector>

#include "agent/link/transport.h"
#include "common/base/mutex.h"

namespace hostq::agent {

// Hands events from the transport's threads to the loop. Thread-safe.
class Mailbox {
 public:
  Mailbox();
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  void Post(TransportEvent event);
  // Everything that has been posted, in order. Does not block.
  std::vector<TransportEvent> Take();
  // Readable while something may be there.
  int fd() const { return fd_; }

 private:
  const int fd_;
  Mutex mutex_;
  std::vector<TransportEvent> events_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hostq::agent
