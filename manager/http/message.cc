#include "manager/http/message.h"

namespace hostq::manager {

absl::string_view HttpRequest::Header(absl::string_view name) const {
  absl::string_view found;
  bool seen = false;
  for (const auto& [each, value] : headers) {
    if (each != name) continue;
    if (std::exchange(seen, true)) return "";
    found = value;
  }
  return found;
}

bool HttpRequest::Has(absl::string_view name) const {
  for (const auto& [each, value] : headers) {
    if (each == name) return true;
  }
  return false;
}

}  // namespace hostq::manager
