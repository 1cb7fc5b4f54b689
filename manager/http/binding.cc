#include "manager/http/binding.h"

#include <map>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "common/crypto/encoding.h"
#include "common/crypto/hash.h"
#include "google/protobuf/util/json_util.h"

namespace hostq::manager {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MessageFactory;

constexpr size_t kMaxComplaint = 300;

absl::Status Wrong(absl::string_view where, absl::string_view why) {
  return InvalidField(Reason::kInvalidArgument, where, why);
}

const FieldDescriptor* FieldNamed(const Descriptor& type, absl::string_view json_name) {
  for (int i = 0; i < type.field_count(); ++i) {
    if (type.field(i)->json_name() == json_name) return type.field(i);
  }
  return nullptr;
}

// What can stand in a query: one value, or several of the same.
bool FitsQuery(const FieldDescriptor& field) {
  if (field.type() != FieldDescriptor::TYPE_MESSAGE) return true;
  const std::string& name = field.message_type()->full_name();
  return name == "google.protobuf.Timestamp" || name == "google.protobuf.Duration";
}

absl::Status NoSuchParameter(const Descriptor& type, const RouteMatch& match,
                             absl::string_view name) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const bool in_path = absl::StrContains(match.route->path, absl::StrCat("{", field.name(), "}"));
    if (FitsQuery(field) && !in_path) names.push_back(field.json_name());
  }
  return Wrong("query",
               absl::StrCat("there is no parameter ", Printable(name, 60), " here",
                            names.empty() ? "" : "; there is ", absl::StrJoin(names, ", ")));
}

// Protobuf reads numbers, times and names of enums from strings too.
absl::StatusOr<nlohmann::json> ValueOf(const FieldDescriptor& field, const std::string& text) {
  if (field.type() != FieldDescriptor::TYPE_BOOL) return nlohmann::json(text);
  if (text == "true" || text == "false") return nlohmann::json(text == "true");
  return Wrong(field.json_name(), "is neither true nor false");
}

absl::StatusOr<std::string> JsonOfQuery(const Descriptor& type, const RouteMatch& match,
                                        const HttpTarget& target) {
  nlohmann::json out = nlohmann::json::object();
  for (const auto& [name, text] : target.query) {
    const FieldDescriptor* field = FieldNamed(type, name);
    if (field == nullptr || !FitsQuery(*field)) return NoSuchParameter(type, match, name);
    HOSTQ_ASSIGN_OR_RETURN(nlohmann::json value, ValueOf(*field, text));
    if (field->is_repeated()) {
      out[name].push_back(std::move(value));
    } else if (out.contains(name)) {
      return Wrong(name, "is there twice");
    } else {
      out[name] = std::move(value);
    }
  }
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

absl::Status CheckBody(const HttpRequest& request) {
  absl::string_view type = request.Header("content-type");
  type = absl::StripAsciiWhitespace(type.substr(0, type.find(';')));
  if (!absl::EqualsIgnoreCase(type, "application/json")) {
    return MakeError(absl::StatusCode::kInvalidArgument, Reason::kUnsupportedMediaType,
                     type.empty() ? "the body has no type (content-type)"
                                  : absl::StrCat("the body is ", Printable(type, 60)));
  }
  if (request.Has("content-encoding")) {
    return MakeError(absl::StatusCode::kInvalidArgument, Reason::kUnsupportedMediaType,
                     "the body is compressed (content-encoding)");
  }
  // Protobuf's reader takes more than JSON.
  const absl::string_view text = absl::StripLeadingAsciiWhitespace(request.body);
  if (!nlohmann::json::accept(request.body)) return Wrong("body", "is not JSON");
  if (!absl::StartsWith(text, "{")) return Wrong("body", "is not an object of JSON");
  return absl::OkStatus();
}

absl::Status ReadJson(const std::string& json, absl::string_view where, Message& message) {
  google::protobuf::util::JsonParseOptions options;
  options.case_insensitive_enum_parsing = false;
  const auto status = google::protobuf::util::JsonStringToMessage(json, &message, options);
  if (status.ok()) return absl::OkStatus();
  return Wrong(where, Printable(std::string(status.message()), kMaxComplaint));
}

// From the path, or a header: the same as in the body, if it is there too.
absl::Status SetText(const std::string& field_name, const std::string& value,
                     absl::string_view where, Message& message) {
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(field_name);
  HOSTQ_CHECK(field != nullptr && field->cpp_type() == FieldDescriptor::CPPTYPE_STRING &&
              !field->is_repeated());
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  const std::string said = reflection.GetString(message, field);
  if (!said.empty() && said != value) {
    return Wrong(field->json_name(),
                 absl::StrCat("is not the same in the ", where, " as in the body or the query"));
  }
  reflection.SetString(&message, field, value);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Message>> BindRequest(const Descriptor& type,
                                                     const RouteMatch& match,
                                                     const HttpTarget& target,
                                                     const HttpRequest& request) {
  std::unique_ptr<Message> message(MessageFactory::generated_factory()->GetPrototype(&type)->New());
  if (match.route->method == "POST") {
    if (!target.query.empty()) return Wrong("query", "parameters of POST are in the body");
    if (!request.body.empty()) {
      HOSTQ_RETURN_IF_ERROR(CheckBody(request));
      HOSTQ_RETURN_IF_ERROR(ReadJson(request.body, "body", *message));
    }
  } else {
    if (!request.body.empty()) {
      return Wrong("body", absl::StrCat(match.route->method, " takes none"));
    }
    HOSTQ_ASSIGN_OR_RETURN(const std::string json, JsonOfQuery(type, match, target));
    HOSTQ_RETURN_IF_ERROR(ReadJson(json, "query", *message));
  }
  for (const auto& [field, value] : match.fields) {
    HOSTQ_RETURN_IF_ERROR(SetText(field, value, "path", *message));
  }
  if (request.Has("idempotency-key") && type.FindFieldByName("request_id") != nullptr) {
    const std::string key(request.Header("idempotency-key"));
    if (key.empty()) return Wrong("idempotency-key", "must be there once, and not be empty");
    HOSTQ_RETURN_IF_ERROR(SetText("request_id", key, "header idempotency-key", *message));
  }
  return message;
}

absl::StatusOr<std::string> ToJson(const Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  std::string out;
  const auto status = google::protobuf::util::MessageToJsonString(message, &out, options);
  if (status.ok()) return out;
  return MakeError(
      absl::StatusCode::kInternal, Reason::kInternal,
      absl::StrCat("the answer cannot be written as JSON: ", std::string(status.message())));
}

std::string EntityTag(absl::string_view body) {
  return absl::StrCat("\"", Base32Encode(Sha256(body).substr(0, 15)), "\"");
}

bool NamesTag(absl::string_view header, absl::string_view tag) {
  for (absl::string_view each : absl::StrSplit(header, ',')) {
    each = absl::StripAsciiWhitespace(each);
    if (each == "*") return true;
    absl::ConsumePrefix(&each, "W/");
    if (each == tag) return true;
  }
  return false;
}

std::string FillIn(absl::string_view pattern, const Message& response) {
  const size_t begin = pattern.find('{'), end = pattern.find('}');
  const Message* message = &response;
  std::string value;
  for (const absl::string_view name :
       absl::StrSplit(pattern.substr(begin + 1, end - begin - 1), '.')) {
    const FieldDescriptor* field = message->GetDescriptor()->FindFieldByName(std::string(name));
    HOSTQ_CHECK(field != nullptr);
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      message = &message->GetReflection()->GetMessage(*message, field);
    } else {
      value = message->GetReflection()->GetString(*message, field);
    }
  }
  return value.empty() ? ""
                       : absl::StrCat(pattern.substr(0, begin), value, pattern.substr(end + 1));
}

}  // namespace hostq::manager
