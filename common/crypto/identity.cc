#include "common/crypto/identity.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace hostq {
namespace {
constexpr absl::string_view kPrefix = "hostq://node/";
constexpr absl::string_view kAdministratorPrefix = "hostq://admin/";
}  // namespace

bool IsNodeName(absl::string_view name) {
  return !name.empty() && name.size() <= 63 && absl::ascii_islower(name[0]) &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-';
         });
}

std::string RenewalText(absl::string_view authority_pin, absl::string_view csr_pem) {
  return absl::StrCat("hostq-renewal-1\n", authority_pin, "\n", csr_pem);
}

std::string FormatNodeUri(const NodeIdentity& node) {
  return absl::StrCat(kPrefix, node.name, "/", node.incarnation);
}

std::optional<NodeIdentity> ParseNodeUri(absl::string_view uri) {
  absl::string_view rest = uri;
  if (!absl::ConsumePrefix(&rest, kPrefix)) return std::nullopt;
  const size_t slash = rest.find('/');
  if (slash == absl::string_view::npos) return std::nullopt;
  NodeIdentity node{std::string(rest.substr(0, slash)), 0};
  if (!IsNodeName(node.name) || !absl::SimpleAtoi(rest.substr(slash + 1), &node.incarnation) ||
      node.incarnation <= 0 || FormatNodeUri(node) != uri) {
    return std::nullopt;
  }
  return node;
}

std::string FormatAdministratorUri(absl::string_view name) {
  return absl::StrCat(kAdministratorPrefix, name);
}

std::optional<std::string> ParseAdministratorUri(absl::string_view uri) {
  if (!absl::ConsumePrefix(&uri, kAdministratorPrefix) || !IsNodeName(uri)) return std::nullopt;
  return std::string(uri);
}

}  // namespace hostq
