#include "manager/access/gateway_calls.h"

#include <utility>

#include "common/crypto/encoding.h"
#include "common/crypto/hash.h"

namespace hostq::manager {

std::string GatewayCalls::Begin(GatewayCall call) {
  std::string name = Base32Encode(RandomBytes(20));
  const MutexLock lock(mutex_);
  calls_[name] = std::make_shared<const GatewayCall>(std::move(call));
  return name;
}

void GatewayCalls::End(const std::string& name) {
  const MutexLock lock(mutex_);
  calls_.erase(name);
}

std::shared_ptr<const GatewayCall> GatewayCalls::Find(absl::string_view name) const {
  const MutexLock lock(mutex_);
  const auto found = calls_.find(name);
  return found == calls_.end() ? nullptr : found->second;
}

}  // namespace hostq::manager
