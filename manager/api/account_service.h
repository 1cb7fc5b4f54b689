#pragma once

#include "hostq/v1/account_service.grpc.pb.h"
#include "manager/api/request.h"

namespace hostq::manager {

// hostq.v1.AccountService: answers from the cluster's desired state in memory.
class AccountService final : public v1::AccountService::CallbackService {
 public:
  explicit AccountService(const Backend& backend) : backend_(backend) {}

  grpc::ServerUnaryReactor* GetAccount(grpc::CallbackServerContext* context,
                                       const v1::GetAccountRequest* request,
                                       v1::Account* response) override;
  grpc::ServerUnaryReactor* ListAccounts(grpc::CallbackServerContext* context,
                                         const v1::ListAccountsRequest* request,
                                         v1::ListAccountsResponse* response) override;
  grpc::ServerUnaryReactor* ListShares(grpc::CallbackServerContext* context,
                                       const v1::ListSharesRequest* request,
                                       v1::ListSharesResponse* response) override;

 private:
  const Backend backend_;
};

}  // namespace hostq::manager
