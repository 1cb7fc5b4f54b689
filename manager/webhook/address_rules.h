#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "manager/access/address_range.h"

namespace hostq::manager {

// To which addresses the manager sends: whoever may make a webhook must not reach by it what only
// the manager's machine can reach. Thread-safe.
class AddressRules {
 public:
  // `allow`: these, whatever they are. `own`: the addresses of this machine, asked each time.
  AddressRules(std::vector<AddressRange> allow, std::function<std::vector<std::string>()> own);

  // OK: a public unicast address that is not this machine's, or one of `allow`. Otherwise
  // PERMISSION_DENIED (WEBHOOK_ADDRESS_REFUSED). Asked of the address that is connected to, after
  // the name was resolved.
  absl::Status Check(absl::string_view address) const;

 private:
  const std::vector<AddressRange> allow_;
  const std::function<std::vector<std::string>()> own_;
};

// Of all interfaces of this machine. Does not block.
std::vector<std::string> InterfaceAddresses();

}  // namespace hostq::manager
