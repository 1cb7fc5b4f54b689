#pragma once

#include <functional>
#include <string>

#include "hostq/v1/administrator_service.grpc.pb.h"
#include "manager/access/authority_set.h"
#include "manager/access/key_ring.h"
#include "manager/api/open_streams.h"
#include "manager/api/request.h"

namespace hostq::manager {

// What is stored of an administrator, as the ring has it.
AdministratorRing::Entry FromRow(const storage::v1::Administrator& row);

// hostq.v1.AdministratorService.
class AdministratorService final : public v1::AdministratorService::CallbackService {
 public:
  AdministratorService(const Backend& backend, const AuthoritySet& authorities,
                       AdministratorRing& administrators, OpenStreams& streams)
      : backend_(backend),
        authorities_(authorities),
        administrators_(administrators),
        streams_(streams) {}

  grpc::ServerUnaryReactor* CreateAdministrator(grpc::CallbackServerContext* context,
                                                const v1::CreateAdministratorRequest* request,
                                                v1::CreateAdministratorResponse* response) override;
  grpc::ServerUnaryReactor* ListAdministrators(grpc::CallbackServerContext* context,
                                               const v1::ListAdministratorsRequest* request,
                                               v1::ListAdministratorsResponse* response) override;
  grpc::ServerUnaryReactor* RevokeAdministrator(grpc::CallbackServerContext* context,
                                                const v1::RevokeAdministratorRequest* request,
                                                v1::Administrator* response) override;

 private:
  // After the commit, on the engine's thread: what was changed holds from now on.
  v1::Administrator TakeOver(const std::string& name);

  const Backend backend_;
  const AuthoritySet& authorities_;
  AdministratorRing& administrators_;
  OpenStreams& streams_;
};

}  // namespace hostq::manager
