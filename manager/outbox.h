#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "common/config/manager_config.h"
#include "manager/api/event_hub.h"
#include "manager/api/request.h"
#include "manager/api/webhook_feed.h"
#include "manager/api/webhook_service.h"
#include "manager/notify/notifier.h"
#include "manager/webhook/sender.h"

namespace hostq::manager {

// What the manager tells others by itself: webhooks and mails.
class Outbox {
 public:
  // All that `backend` has, and `hub`, must outlive it. Blocks on the disk. Errors:
  // INVALID_ARGUMENT (INVALID_ARGUMENT): what the configuration says of webhooks cannot be used.
  static absl::StatusOr<std::unique_ptr<Outbox>> Start(const ManagerConfig& config,
                                                       const Backend& backend, EventHub& hub);
  ~Outbox();

  WebhookService& service() { return *service_; }
  // Breaks off deliveries, which are sent again after the next start; waits for a mail that is
  // under way. The engine must still run. May be called twice.
  void Stop();

 private:
  Outbox() = default;

  std::unique_ptr<Sender> sender_;
  std::unique_ptr<WebhookFeed> feed_;
  std::unique_ptr<WebhookService> service_;
  std::unique_ptr<Notifier> notifier_;
};

}  // namespace hostq::manager
