#pragma once

#include <string>

#include "hostq/v1/account_service.grpc.pb.h"
#include "manager/api/request.h"

namespace hostq::manager {

// hostq.v1.AccountService: answers from the cluster's desired state in memory; DescribeAccount from
// the account's history, too.
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
  // account_service_status.cc.
  grpc::ServerUnaryReactor* DescribeAccount(grpc::CallbackServerContext* context,
                                            const v1::DescribeAccountRequest* request,
                                            v1::DescribeAccountResponse* response) override;

 private:
  struct Described;

  // On the engine's thread: what is known in memory. NOT_FOUND (UNKNOWN_ACCOUNT).
  absl::Status TakeDescribed(const hostq::manager::Queue& queue, const Now& now,
                             const std::string& domain, Described& described) const;
  // On a worker: adds what is stored.
  absl::Status Describe(Described& described, v1::DescribeAccountResponse& response) const;

  const Backend backend_;
};

}  // namespace hostq::manager
