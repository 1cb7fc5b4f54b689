#include "manager/api/reflection_service.h"

#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "common/base/error.h"
#include "common/rpc/status.h"
#include "google/protobuf/descriptor.pb.h"

namespace hostq::manager {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using Request = ReflectionService::Request;
using Response = ReflectionService::Response;

// One stream: reads, answers, reads. One thing is under way at a time, and its end goes on.
class Reflector final : public ::grpc::ServerBidiReactor<Request, Response>,
                        public OpenStreams::Stream,
                        public std::enable_shared_from_this<Reflector> {
 public:
  Reflector(const ReflectionService& service, const Backend& backend,
            ::grpc::CallbackServerContext* context)
      : service_(service), backend_(backend), context_(context) {}

  void Refuse(const absl::Status& status) {
    self_ = shared_from_this();
    Finish(ToGrpc(status));
  }
  void Start(const Caller& caller) {
    self_ = shared_from_this();
    caller_ = caller;
    if (caller_.kind != Caller::Kind::kLocal) backend_.streams.Add(self_);
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return Finish(::grpc::Status::OK);
    if (absl::Status status = Recheck(); !status.ok()) return Finish(ToGrpc(status));
    response_ = service_.Answer(request_);
    StartWrite(&response_);
  }
  void OnWriteDone(bool ok) override {
    ok ? StartRead(&request_) : Finish(::grpc::Status::CANCELLED);
  }
  void OnDone() override {
    const auto self = std::move(self_);
    backend_.streams.Remove(this);
    const std::lock_guard<std::recursive_mutex> lock(context_mutex_);
    context_ = nullptr;
  }

  // OpenStreams::Stream. Nothing is being done but waiting for the caller.
  absl::Status Recheck() const override { return backend_.admission.Recheck(caller_); }
  void End() override { Abort(); }
  void Abort() override {
    const std::lock_guard<std::recursive_mutex> lock(context_mutex_);
    if (context_ != nullptr) context_->TryCancel();
  }

 private:
  const ReflectionService& service_;
  const Backend backend_;
  std::recursive_mutex context_mutex_;      // cancelling may end in OnDone, on the same thread
  ::grpc::CallbackServerContext* context_;  // null once the call is done; guarded by it
  std::shared_ptr<Reflector> self_;
  Caller caller_;
  Request request_;
  Response response_;
};

// The file, and those it needs, each once.
void AddWithImports(const FileDescriptor& file, std::set<const FileDescriptor*>& seen,
                    ::grpc::reflection::v1alpha::FileDescriptorResponse& out) {
  if (!seen.insert(&file).second) return;
  google::protobuf::FileDescriptorProto proto;
  file.CopyTo(&proto);
  file.CopyJsonNameTo(&proto);
  out.add_file_descriptor_proto(proto.SerializeAsString());
  for (int i = 0; i < file.dependency_count(); ++i) {
    AddWithImports(*file.dependency(i), seen, out);
  }
}

}  // namespace

ReflectionService::ReflectionService(const Backend& backend,
                                     const std::vector<std::string>& services)
    : backend_(backend), services_(services) {
  for (const std::string& name : services_) {
    const auto* service = DescriptorPool::generated_pool()->FindServiceByName(name);
    HOSTQ_CHECK(service != nullptr);
    AddFile(*service->file());
  }
}

void ReflectionService::AddFile(const FileDescriptor& file) {
  if (!files_.emplace(file.name(), &file).second) return;
  for (int i = 0; i < file.dependency_count(); ++i) AddFile(*file.dependency(i));
}

Response ReflectionService::Answer(const Request& request) const {
  Response response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  const FileDescriptor* file = nullptr;
  switch (request.message_request_case()) {
    case Request::kListServices:
      for (const std::string& name : services_) {
        response.mutable_list_services_response()->add_service()->set_name(name);
      }
      return response;
    case Request::kAllExtensionNumbersOfType:
      response.mutable_all_extension_numbers_response()->set_base_type_name(
          request.all_extension_numbers_of_type());
      return response;
    case Request::kFileByFilename:
      file = DescriptorPool::generated_pool()->FindFileByName(request.file_by_filename());
      break;
    case Request::kFileContainingSymbol:
      file = DescriptorPool::generated_pool()->FindFileContainingSymbol(
          request.file_containing_symbol());
      break;
    default:
      break;
  }
  if (file == nullptr || !files_.contains(file->name())) {
    response.mutable_error_response()->set_error_code(::grpc::StatusCode::NOT_FOUND);
    response.mutable_error_response()->set_error_message(
        "there is no such file, symbol or extension");
    return response;
  }
  std::set<const FileDescriptor*> seen;
  AddWithImports(*file, seen, *response.mutable_file_descriptor_response());
  return response;
}

::grpc::ServerBidiReactor<Request, Response>* ReflectionService::ServerReflectionInfo(
    ::grpc::CallbackServerContext* context) {
  const auto reflector = std::make_shared<Reflector>(*this, backend_, context);
  absl::Status refused;
  const std::optional<Caller> caller =
      Admit(backend_, *context, "grpc.reflection.v1alpha.ServerReflection.ServerReflectionInfo",
            [&refused](const absl::Status& status) { refused = status; });
  caller ? reflector->Start(*caller) : reflector->Refuse(refused);
  return reflector.get();
}

}  // namespace hostq::manager
