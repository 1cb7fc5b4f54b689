#pragma once

#include <functional>
#include <string>
#include <vector>

#include "hostq/v1/authority_service.grpc.pb.h"
#include "manager/access/authority_set.h"
#include "manager/api/request.h"

namespace hostq::manager {

// hostq.v1.AuthorityService. Steps run on a worker: they write files.
class AuthorityService final : public v1::AuthorityService::CallbackService {
 public:
  struct Hooks {
    // A step was made: listeners and agents have to hear of it.
    std::function<void()> changed;
    // Names of administrators whose certificate another authority than `pin` has signed. On the
    // engine's thread. Null: none.
    std::function<std::vector<std::string>(const std::string& pin)> administrators;
  };
  // `authorities` must outlive it.
  AuthorityService(const Backend& backend, AuthoritySet& authorities, Hooks hooks)
      : backend_(backend), authorities_(authorities), hooks_(std::move(hooks)) {}

  grpc::ServerUnaryReactor* GetAuthority(grpc::CallbackServerContext* context,
                                         const v1::GetAuthorityRequest* request,
                                         v1::Authority* response) override;
  grpc::ServerUnaryReactor* PrepareAuthority(grpc::CallbackServerContext* context,
                                             const v1::PrepareAuthorityRequest* request,
                                             v1::Authority* response) override;
  grpc::ServerUnaryReactor* ActivateAuthority(grpc::CallbackServerContext* context,
                                              const v1::ActivateAuthorityRequest* request,
                                              v1::Authority* response) override;
  grpc::ServerUnaryReactor* RetireAuthority(grpc::CallbackServerContext* context,
                                            const v1::RetireAuthorityRequest* request,
                                            v1::Authority* response) override;
  grpc::ServerUnaryReactor* UndoAuthority(grpc::CallbackServerContext* context,
                                          const v1::UndoAuthorityRequest* request,
                                          v1::Authority* response) override;

 private:
  // What a step is refused for, on the engine's thread; then the step, on a worker.
  struct Plan {
    absl::string_view step;  // "activate"
    bool force = false;
    std::function<absl::Status()> check;
    std::function<absl::Status(AuthoritySet::Turn)> make;
  };
  grpc::ServerUnaryReactor* Make(grpc::CallbackServerContext& context, absl::string_view method,
                                 Plan plan, v1::Authority* response);
  // On the engine's thread.
  void Show(v1::Authority& response) const;
  absl::Status CheckTrusted() const;
  absl::Status CheckUnused() const;
  absl::Status CheckNextUnused() const;
  std::vector<std::string> AdministratorsNotSignedBy(const std::string& pin) const;

  const Backend backend_;
  AuthoritySet& authorities_;
  const Hooks hooks_;
};

}  // namespace hostq::manager
