#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/actions/steps.h"

namespace hostq::agent {

// What a node notes of balancing, durably. A balancer: the newest table it was given, and the
// addresses that older ones had and that may still be on it. Every node: who the balancers are.

// Waits until no other step works on the balancer; until what is returned is gone, no other does.
absl::StatusOr<std::shared_ptr<void>> LockBalancing(Host& host);
// Notes `given`, unless a newer one is noted. Returns the newest.
absl::StatusOr<v1::BalancingTable> NoteTable(Host& host, const v1::BalancingTable& given);
absl::StatusOr<std::set<std::string>> ReadLeaving(Host& host);
absl::Status ForgetLeaving(Host& host);

// Cluster addresses.
absl::StatusOr<std::vector<std::string>> ReadBalancers(Host& host);
absl::Status NoteBalancers(Host& host, const std::vector<std::string>& balancers);

}  // namespace hostq::agent
