#include "agent/actions/hook_event.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/error.h"
#include "common/base/text.h"

namespace hostq::agent {
namespace {

// Raised when something that is there changes its meaning; additions leave it.
constexpr int kVersion = 1;
constexpr size_t kMaxDomain = 253;
constexpr size_t kMaxLabel = 63;

absl::Status Bad(absl::string_view what, absl::string_view value, absl::string_view wanted) {
  return MakeError(absl::StatusCode::kInvalidArgument, Reason::kBadParameters,
                   absl::StrCat("the ", what, " ", Printable(value), " is not ", wanted));
}

bool ConsistsOf(absl::string_view text, absl::string_view punctuation) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           punctuation.find(c) != absl::string_view::npos;
  });
}

absl::Status CheckDomain(absl::string_view domain) {
  const std::vector<absl::string_view> labels = absl::StrSplit(domain, '.');
  const bool good = domain.size() <= kMaxDomain && labels.size() >= 2 &&
                    std::all_of(labels.begin(), labels.end(), [](absl::string_view label) {
                      return !label.empty() && label.size() <= kMaxLabel &&
                             ConsistsOf(label, "-") && label.front() != '-' && label.back() != '-';
                    });
  return good ? absl::OkStatus() : Bad("domain", domain, "a domain");
}

absl::StatusOr<std::string> NormalAddress(absl::string_view text) {
  const auto address = IpAddress::Parse(text);
  if (!address) return Bad("address", text, "an IP address");
  return address->ToString();
}

}  // namespace

absl::StatusOr<std::string> HookDocument(const HookEvent& event, const Roles& roles,
                                         const Policy& policy) {
  const v1::Account& account = event.account;
  HOSTQ_RETURN_IF_ERROR(CheckUser(policy, account.user(), account.uid(), account.gid()));
  HOSTQ_RETURN_IF_ERROR(CheckHome(policy, account.home()));
  HOSTQ_RETURN_IF_ERROR(CheckDomain(account.domain()));
  if (!ConsistsOf(account.home(), "/._-+@")) {
    return MakeError(absl::StatusCode::kPermissionDenied, Reason::kNotAllowedByPolicy,
                     absl::StrCat("hooks are told no home of other characters than letters, digits "
                                  "and /._-+@: ",
                                  Printable(account.home())));
  }
  nlohmann::ordered_json document = {{"version", kVersion}, {"event", std::string(event.name)}};
  document["roles"] = nlohmann::json::array();
  if (roles.app) document["roles"].push_back("app");
  if (roles.storage) document["roles"].push_back("storage");
  if (!event.address.empty()) {
    HOSTQ_ASSIGN_OR_RETURN(document["address"], NormalAddress(event.address));
  }
  nlohmann::ordered_json& about = document["account"];
  about["domain"] = account.domain();
  about["user"] = account.user();
  about["uid"] = account.uid();
  about["gid"] = account.gid();
  about["home"] = account.home();
  about["addresses"] = nlohmann::json::array();
  for (const std::string& text : account.addresses()) {
    HOSTQ_ASSIGN_OR_RETURN(const std::string address, NormalAddress(text));
    about["addresses"].push_back(address);
  }
  about["quota_bytes"] = account.quota_bytes();
  about["suspended"] = account.suspended();
  about["generation"] = account.generation();
  return absl::StrCat(document.dump(2), "\n");
}

}  // namespace hostq::agent
