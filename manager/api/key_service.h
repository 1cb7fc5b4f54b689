#pragma once

#include "hostq/v1/key_service.grpc.pb.h"
#include "manager/access/key_ring.h"
#include "manager/api/open_streams.h"
#include "manager/api/request.h"

namespace hostq::manager {

// What is stored of an API key, as the ring has it. Errors: DATA_LOSS: it cannot be read.
absl::StatusOr<ApiKey> FromRow(const storage::v1::ApiKey& row);

// hostq.v1.KeyService.
class KeyService final : public v1::KeyService::CallbackService {
 public:
  KeyService(const Backend& backend, KeyRing& keys, OpenStreams& streams)
      : backend_(backend), keys_(keys), streams_(streams) {}

  grpc::ServerUnaryReactor* CreateKey(grpc::CallbackServerContext* context,
                                      const v1::CreateKeyRequest* request,
                                      v1::CreateKeyResponse* response) override;
  grpc::ServerUnaryReactor* GetKey(grpc::CallbackServerContext* context,
                                   const v1::GetKeyRequest* request, v1::Key* response) override;
  grpc::ServerUnaryReactor* ListKeys(grpc::CallbackServerContext* context,
                                     const v1::ListKeysRequest* request,
                                     v1::ListKeysResponse* response) override;
  grpc::ServerUnaryReactor* RotateKey(grpc::CallbackServerContext* context,
                                      const v1::RotateKeyRequest* request,
                                      v1::CreateKeyResponse* response) override;
  grpc::ServerUnaryReactor* RevokeKey(grpc::CallbackServerContext* context,
                                      const v1::RevokeKeyRequest* request,
                                      v1::Key* response) override;

 private:
  v1::Key Show(const storage::v1::ApiKey& row) const;
  // After the commit, on the engine's thread: what was changed holds from now on. `row`: as the
  // change left it; by now it may be another, or gone.
  v1::Key TakeOver(const storage::v1::ApiKey& row);

  const Backend backend_;
  KeyRing& keys_;
  OpenStreams& streams_;
};

}  // namespace hostq::manager
