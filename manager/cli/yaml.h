#pragma once

#include <string>

#include "google/protobuf/message.h"

namespace hostq::cli {

// The message as YAML: the same names and values as ToJson() has, so that whoever parses either
// gets the same. Texts are in quotes unless they can be nothing else. Ends with a line feed.
std::string ToYaml(const google::protobuf::Message& message);
// The same of a JSON document. What is not JSON comes back as it is.
std::string YamlOfJson(const std::string& json);

}  // namespace hostq::cli
