#pragma once

#include <map>
#include <string>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "manager/api/request.h"

namespace hostq::manager {

// grpc.reflection.v1alpha.ServerReflection for callers who are let in; gRPC's own plugin would
// answer everybody on every listener. Tells of the services it is made with, and of the files that
// they need; of nothing else that is in the program.
class ReflectionService final
    : public ::grpc::reflection::v1alpha::ServerReflection::CallbackService {
 public:
  using Request = ::grpc::reflection::v1alpha::ServerReflectionRequest;
  using Response = ::grpc::reflection::v1alpha::ServerReflectionResponse;

  // Full names. What `backend` refers to must outlive the gRPC server.
  ReflectionService(const Backend& backend, const std::vector<std::string>& services);

  ::grpc::ServerBidiReactor<Request, Response>* ServerReflectionInfo(
      ::grpc::CallbackServerContext* context) override;

  // One answer. Pure.
  Response Answer(const Request& request) const;

 private:
  void AddFile(const google::protobuf::FileDescriptor& file);

  const Backend backend_;
  std::vector<std::string> services_;
  // Those that may be told of, by name.
  std::map<std::string, const google::protobuf::FileDescriptor*> files_;
};

}  // namespace hostq::manager
