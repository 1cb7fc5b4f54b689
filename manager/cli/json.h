#pragma once

#include <string>

#include "google/protobuf/message.h"

namespace hostq::cli {

// The message in protobuf's JSON form: names in lowerCamelCase, enums by name, 64-bit numbers as
// strings, every field without presence written also when it has its default. Ends with a line
// feed. `one_line` for streams of documents.
std::string ToJson(const google::protobuf::Message& message, bool one_line = false);

}  // namespace hostq::cli
