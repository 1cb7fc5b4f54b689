#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "manager/http/message.h"
#include "manager/http/routes.h"
#include "manager/http/target.h"

namespace hostq::manager {

// The message that a request of HTTP means: from the body (POST) or the query (GET, DELETE), the
// path, and the header idempotency-key (request_id, where the message has one). JSON is protobuf's
// mapping; a field that is not there is an error, as is one that is said twice with two values.
// Errors: INVALID_ARGUMENT (INVALID_ARGUMENT, UNSUPPORTED_MEDIA_TYPE); the message says what is
// wrong where.
absl::StatusOr<std::unique_ptr<google::protobuf::Message>> BindRequest(
    const google::protobuf::Descriptor& type, const RouteMatch& match, const HttpTarget& target,
    const HttpRequest& request);

// All fields, also those that have their default value; numbers of 64 bits as strings. Errors:
// INTERNAL (INTERNAL): something in it has no JSON, such as a time out of range.
absl::StatusOr<std::string> ToJson(const google::protobuf::Message& message);

// The strong entity tag of an answer with this body: "\"...\"".
std::string EntityTag(absl::string_view body);
// Whether the header if-match or if-none-match (`header`) names the tag.
bool NamesTag(absl::string_view header, absl::string_view tag);

// "/v1/commands/{command.id}" with the fields of the response; empty if one of them is empty.
std::string FillIn(absl::string_view pattern, const google::protobuf::Message& response);

}  // namespace hostq::manager
