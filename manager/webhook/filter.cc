#include "manager/webhook/filter.h"

#include <algorithm>

#include "manager/access/scope.h"

namespace hostq::manager {
namespace {

bool MatchesAny(const google::protobuf::RepeatedPtrField<std::string>& patterns,
                absl::string_view text) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return MatchesName(pattern, text); });
}

}  // namespace

bool WantsEvent(const storage::v1::Webhook& webhook, absl::string_view event) {
  return MatchesAny(webhook.events(), event);
}

bool WantsCommand(const storage::v1::Webhook& webhook, absl::string_view kind,
                  absl::string_view account) {
  return (webhook.kinds().empty() || MatchesAny(webhook.kinds(), kind)) &&
         (webhook.accounts().empty() ||
          (!account.empty() && MatchesAny(webhook.accounts(), account)));
}

}  // namespace hostq::manager
