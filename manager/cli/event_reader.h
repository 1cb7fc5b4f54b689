#pragma once

#include <deque>
#include <memory>
#include <thread>

#include "common/base/mutex.h"
#include "grpcpp/client_context.h"
#include "hostq/v1/event_service.grpc.pb.h"
#include "manager/cli/client.h"

namespace hostq::cli {

// Reads the stream in a thread of its own, because a synchronous read has no time limit.
class EventReader final : public EventStream {
 public:
  EventReader(v1::EventService::Stub& stub, std::unique_ptr<grpc::ClientContext> context,
              const v1::WatchEventsRequest& request);
  // Cancels the call.
  ~EventReader() override;

  Next Wait(absl::Duration timeout, v1::Event& event) override;
  absl::Status Finish() override;

 private:
  void Read();

  const std::unique_ptr<grpc::ClientContext> context_;
  const std::unique_ptr<grpc::ClientReader<v1::Event>> reader_;

  Mutex mutex_;
  CondVar changed_;
  std::deque<v1::Event> queue_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);

  std::thread thread_;
};

}  // namespace hostq::cli
