#pragma once

#include <functional>
#include <string>

#include "hostq/v1/node_service.grpc.pb.h"
#include "manager/access/join_token.h"
#include "manager/api/request.h"

namespace hostq::manager {

// hostq.v1.NodeService.
class NodeService final : public v1::NodeService::CallbackService {
 public:
  struct Options {
    // What a join line says: "HOST:PORT" of the enrollment listener, and the authority's pin; of
    // the agents' listener, if certificates come from outside.
    std::string enrollment_address;
    std::string agents_address;
    std::function<std::string()> ca_pin;
    bool outside_certificates = false;
    // Ends the node's sessions.
    std::function<void(const std::string& node, const absl::Status& why)> end_sessions;
  };
  NodeService(const Backend& backend, Options options)
      : backend_(backend), options_(std::move(options)) {}

  grpc::ServerUnaryReactor* CreateNode(grpc::CallbackServerContext* context,
                                       const v1::CreateNodeRequest* request,
                                       v1::CreateNodeResponse* response) override;
  grpc::ServerUnaryReactor* RejoinNode(grpc::CallbackServerContext* context,
                                       const v1::RejoinNodeRequest* request,
                                       v1::CreateNodeResponse* response) override;
  grpc::ServerUnaryReactor* GetNode(grpc::CallbackServerContext* context,
                                    const v1::GetNodeRequest* request, v1::Node* response) override;
  grpc::ServerUnaryReactor* ListNodes(grpc::CallbackServerContext* context,
                                      const v1::ListNodesRequest* request,
                                      v1::ListNodesResponse* response) override;
  grpc::ServerUnaryReactor* PauseNode(grpc::CallbackServerContext* context,
                                      const v1::PauseNodeRequest* request,
                                      v1::Node* response) override;
  grpc::ServerUnaryReactor* ResumeNode(grpc::CallbackServerContext* context,
                                       const v1::ResumeNodeRequest* request,
                                       v1::Node* response) override;
  grpc::ServerUnaryReactor* RemoveNode(grpc::CallbackServerContext* context,
                                       const v1::RemoveNodeRequest* request,
                                       v1::RemoveNodeResponse* response) override;
  grpc::ServerUnaryReactor* BanNode(grpc::CallbackServerContext* context,
                                    const v1::BanNodeRequest* request, v1::Node* response) override;
  grpc::ServerUnaryReactor* UnbanNode(grpc::CallbackServerContext* context,
                                      const v1::UnbanNodeRequest* request,
                                      v1::Node* response) override;
  grpc::ServerUnaryReactor* ApproveNode(grpc::CallbackServerContext* context,
                                        const v1::ApproveNodeRequest* request,
                                        v1::Node* response) override;
  grpc::ServerUnaryReactor* GetBalancing(grpc::CallbackServerContext* context,
                                         const v1::GetBalancingRequest* request,
                                         v1::Balancing* response) override;

 private:
  // Answers with the node as it is now, or with NOT_FOUND (UNKNOWN_NODE).
  void ReadNode(const std::string& name, v1::Node* response, const Done& done);
  using AddToken = std::function<absl::StatusOr<ChangeSet>(
      const storage::v1::Token& token, absl::string_view actor, const Now& now)>;
  // Answers with a join line for the node, whose token `add` has stored.
  struct TokenRequest {
    const std::string& name;
    const google::protobuf::Duration* ttl;  // null: the default
    const google::protobuf::RepeatedPtrField<std::string>& sources;
  };
  grpc::ServerUnaryReactor* IssueToken(grpc::CallbackServerContext& context,
                                       absl::string_view method, const TokenRequest& request,
                                       AddToken add, v1::CreateNodeResponse* response);
  // How the node joins.
  void SayHow(const NewJoinToken& token, v1::CreateNodeResponse& response) const;
  void ChangeNode(const std::string& name, const Caller& caller,
                  std::function<absl::StatusOr<ChangeSet>(const Now&)> change, v1::Node* response,
                  const Done& done);

  const Backend backend_;
  const Options options_;
};

}  // namespace hostq::manager
