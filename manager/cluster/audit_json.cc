#include "manager/cluster/audit_json.h"

#include "google/protobuf/util/json_util.h"

namespace hostq::manager {
namespace {

std::string ToJson(const google::protobuf::Message& message) {
  std::string out;
  // Fails only for messages that hold google.protobuf.Any of unknown type, which we have not.
  if (!google::protobuf::util::MessageToJsonString(message, &out).ok()) return "{}";
  return out;
}

}  // namespace

std::string AuditJsonOf(const storage::v1::Node& row) {
  v1::Node node = row.node();
  node.clear_checks();
  node.clear_preflight_time();
  return ToJson(node);
}

std::string AuditJsonOf(const storage::v1::Pause& row) { return ToJson(row); }
std::string AuditJsonOf(const storage::v1::Alarm& row) { return ToJson(row); }

}  // namespace hostq::manager
