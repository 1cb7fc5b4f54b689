#pragma once

#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "common/base/mutex.h"

namespace hostq::manager {

// Streams that outlast the moment they were let in: those whose caller is no longer let in, because
// a key was revoked or has expired, are ended, at once after Look(), and within half a second
// otherwise. Thread-safe.
class OpenStreams {
 public:
  class Stream {
   public:
    virtual ~Stream() = default;
    // OK: the caller would be let in still.
    virtual absl::Status Recheck() const = 0;
    // Ends it, telling why, as soon as nothing is being written.
    virtual void End() = 0;
    // Ends it also if its reader takes nothing.
    virtual void Abort() = 0;
  };
  OpenStreams();
  ~OpenStreams();

  void Add(const std::shared_ptr<Stream>& stream);
  void Remove(const Stream* stream);
  // Looks at all of them.
  void Look();

 private:
  void Loop();

  Mutex mutex_;
  CondVar wake_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // How often it was asked to end.
  struct Entry {
    std::weak_ptr<Stream> stream;
    int asked = 0;
  };
  absl::flat_hash_map<const Stream*, Entry> streams_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace hostq::manager
