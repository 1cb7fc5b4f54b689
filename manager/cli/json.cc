#include "manager/cli/json.h"

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/json_util.h"

namespace hostq::cli {

std::string ToJson(const google::protobuf::Message& message, bool one_line) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = !one_line;
  options.always_print_primitive_fields = true;
  std::string out;
  // Fails only for messages that hold google.protobuf.Any of unknown type, which we have not.
  if (!google::protobuf::util::MessageToJsonString(message, &out, options).ok()) return "{}\n";
  while (!out.empty() && out.back() == '\n') out.pop_back();
  return absl::StrCat(out, "\n");
}

}  // namespace hostq::cli
