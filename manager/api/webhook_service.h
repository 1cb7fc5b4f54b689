#pragma once

#include <functional>
#include <string>

#include "hostq/v1/webhook_service.grpc.pb.h"
#include "manager/api/request.h"
#include "manager/webhook/address_rules.h"

namespace hostq::manager {

// hostq.v1.WebhookService.
class WebhookService final : public v1::WebhookService::CallbackService {
 public:
  struct Hooks {
    // There is something new to send; a webhook may take on more.
    std::function<void()> added;
    std::function<void()> room;
    // The cluster's name, for receivers.
    std::string name;
  };
  WebhookService(const Backend& backend, AddressRules rules, Hooks hooks)
      : backend_(backend), rules_(std::move(rules)), hooks_(std::move(hooks)) {}

  grpc::ServerUnaryReactor* CreateWebhook(grpc::CallbackServerContext* context,
                                          const v1::CreateWebhookRequest* request,
                                          v1::CreateWebhookResponse* response) override;
  grpc::ServerUnaryReactor* GetWebhook(grpc::CallbackServerContext* context,
                                       const v1::GetWebhookRequest* request,
                                       v1::Webhook* response) override;
  grpc::ServerUnaryReactor* ListWebhooks(grpc::CallbackServerContext* context,
                                         const v1::ListWebhooksRequest* request,
                                         v1::ListWebhooksResponse* response) override;
  grpc::ServerUnaryReactor* DeleteWebhook(grpc::CallbackServerContext* context,
                                          const v1::DeleteWebhookRequest* request,
                                          v1::DeleteWebhookResponse* response) override;
  grpc::ServerUnaryReactor* PauseWebhook(grpc::CallbackServerContext* context,
                                         const v1::PauseWebhookRequest* request,
                                         v1::Webhook* response) override;
  grpc::ServerUnaryReactor* ResumeWebhook(grpc::CallbackServerContext* context,
                                          const v1::ResumeWebhookRequest* request,
                                          v1::Webhook* response) override;
  grpc::ServerUnaryReactor* RotateWebhook(grpc::CallbackServerContext* context,
                                          const v1::RotateWebhookRequest* request,
                                          v1::CreateWebhookResponse* response) override;
  grpc::ServerUnaryReactor* TestWebhook(grpc::CallbackServerContext* context,
                                        const v1::TestWebhookRequest* request,
                                        v1::Delivery* response) override;
  grpc::ServerUnaryReactor* ListDeliveries(grpc::CallbackServerContext* context,
                                           const v1::ListDeliveriesRequest* request,
                                           v1::ListDeliveriesResponse* response) override;
  grpc::ServerUnaryReactor* GetDelivery(grpc::CallbackServerContext* context,
                                        const v1::GetDeliveryRequest* request,
                                        v1::Delivery* response) override;
  grpc::ServerUnaryReactor* ReplayDelivery(grpc::CallbackServerContext* context,
                                           const v1::ReplayDeliveryRequest* request,
                                           v1::ReplayDeliveryResponse* response) override;

 private:
  using Change = std::function<absl::StatusOr<ChangeSet>(const Now&)>;
  // Changes the webhook `name` if the caller may see it, and then shows it.
  void Run(const Caller& caller, const std::string& name, Change change,
           std::function<void()> committed, const Done& done);
  v1::Webhook Show(const storage::v1::Webhook& row) const;

  const Backend backend_;
  const AddressRules rules_;
  const Hooks hooks_;
};

}  // namespace hostq::manager
