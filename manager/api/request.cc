#include "manager/api/request.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/error.h"
#include "common/base/id.h"
#include "common/base/text.h"
#include "common/rpc/status.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/unknown_field_set.h"
#include "manager/api/submission.h"

namespace hostq::manager {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// What a newer client means by a field that this manager does not know cannot be ignored.
// Returns "MESSAGE field NUMBER", or nothing.
std::string UnknownFieldOf(const Message& message) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  const auto& unknown = reflection.GetUnknownFields(message);
  if (unknown.field_count() > 0) {
    return absl::StrCat(message.GetDescriptor()->name(), " field ", unknown.field(0).number());
  }
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field->is_repeated()) continue;
    std::string found = UnknownFieldOf(reflection.GetMessage(message, field));
    if (!found.empty()) return found;
  }
  return "";
}

}  // namespace

Done DoneOf(grpc::ServerUnaryReactor* reactor) {
  return [reactor](const absl::Status& status) { reactor->Finish(ToGrpc(status)); };
}

void OnWorker(const Backend& backend, const Done& done, std::function<void()> job) {
  if (backend.workers.Try(std::move(job))) return;
  done(WithRetryDelay(MakeError(absl::StatusCode::kResourceExhausted, Reason::kQueueFull,
                                "too many requests are waiting"),
                      absl::Seconds(1)));
}

std::optional<Caller> Admit(const Backend& backend, grpc::CallbackServerContext& context,
                            absl::string_view method, const Done& done) {
  absl::StatusOr<Caller> caller = backend.admission.Admit(context, method);
  if (caller.ok()) return *std::move(caller);
  done(caller.status());
  return std::nullopt;
}

void Refuse(const Backend& backend, const Caller& caller, std::string target,
            const absl::Status& status, const Done& done) {
  backend.engine.Audit(caller.On(std::move(target)), status);
  done(status);
}

absl::StatusOr<CommandId> ParseCommandId(absl::string_view field, absl::string_view text) {
  const auto id = ParseId(text);
  if (id) return *id;
  return InvalidField(Reason::kInvalidArgument, field,
                      absl::StrCat("\"", Printable(text, 40), "\" is not a command's id"));
}

absl::Status CheckRequest(const v1::CreateCommandRequest& request) {
  if (const size_t size = request.ByteSizeLong(); size > kMaxRequestBytes) {
    return MakeError(absl::StatusCode::kInvalidArgument, Reason::kRequestTooLarge,
                     absl::StrCat("the request has ", size, " bytes; at most ", kMaxRequestBytes,
                                  " are accepted"));
  }
  const std::string& id = request.request_id();
  if (id.size() > kMaxRequestId ||
      !std::all_of(id.begin(), id.end(), [](char c) { return absl::ascii_isgraph(c); })) {
    return InvalidField(Reason::kInvalidArgument, "request_id",
                        "must be at most 64 printable ASCII characters without spaces");
  }
  if (const std::string unknown = UnknownFieldOf(request); !unknown.empty()) {
    return InvalidField(Reason::kInvalidArgument, "spec",
                        absl::StrCat("this manager does not know ", unknown,
                                     "; the client is newer than the manager"));
  }
  if (request.spec().kind_case() == v1::CommandSpec::KIND_NOT_SET) {
    return InvalidField(Reason::kInvalidArgument, "spec", "says no kind of command");
  }
  return CheckRules(request);
}

std::string ContentOf(const v1::CreateCommandRequest& request) {
  v1::CreateCommandRequest content = request;
  content.clear_request_id();
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    content.SerializeToCodedStream(&coded);
  }
  return bytes;
}

}  // namespace hostq::manager
