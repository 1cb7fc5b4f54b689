#pragma once

#include <string>
#include <vector>

#include "hostq/v1/authority_service.grpc.pb.h"
#include "real_node.h"
#include "test_manager.h"

namespace hostq::manager::testing {

// What an administrator sees and does of certificates, over the manager's local socket.

std::shared_ptr<grpc::Channel> SocketOf(const TestManager& manager);
// "node/web1 CERTIFICATE_SUPERSEDED" of each.
std::vector<std::string> AlarmsOf(const TestManager& manager);

// The authorities. A failed call is a failed test, and nothing in the answer.
v1::Authority ShowAuthority(const TestManager& manager);
absl::Status PrepareAuthority(const TestManager& manager);
absl::Status ActivateAuthority(const TestManager& manager);
absl::Status RetireAuthority(const TestManager& manager);
absl::Status UndoAuthority(const TestManager& manager);

// A scripted agent with this identity gets a session that ends so.
absl::Status RefusalOf(TestManager& manager, const Joined& node);

// Whether the manager has a session with it within 20 s.
bool Connected(TestManager& manager, const std::string& node);

// With these lives of the nodes' certificates from now on.
void Restart(TestManager& manager, absl::Duration certificate_life,
             absl::Duration grace = absl::Hours(24 * 90));

}  // namespace hostq::manager::testing
