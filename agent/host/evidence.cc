#include "agent/host/evidence.h"

#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace hostq::agent {
namespace {
constexpr absl::string_view kPrefix = "hostq/evidence/";
}

absl::Status WithEvidence(absl::Status status, absl::string_view name, absl::string_view value) {
  if (!status.ok()) status.SetPayload(absl::StrCat(kPrefix, name), absl::Cord(value));
  return status;
}

std::map<std::string, std::string> EvidenceOf(const absl::Status& status) {
  std::map<std::string, std::string> evidence;
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& value) {
    if (absl::ConsumePrefix(&url, kPrefix)) evidence[std::string(url)] = std::string(value);
  });
  return evidence;
}

}  // namespace hostq::agent
