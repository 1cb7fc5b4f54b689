#pragma once

#include "absl/strings/string_view.h"
#include "hostq/storage/v1/webhook.pb.h"

namespace hostq::manager {

// What a webhook asks for. Pure.

// Whether it asks for this event ("command.finished"): by name, or with `*`.
bool WantsEvent(const storage::v1::Webhook& webhook, absl::string_view event);
// Whether it asks for commands of this kind, about this account (empty: about none).
bool WantsCommand(const storage::v1::Webhook& webhook, absl::string_view kind,
                  absl::string_view account);

}  // namespace hostq::manager
