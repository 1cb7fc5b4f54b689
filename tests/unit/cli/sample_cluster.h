#pragma once

#include "absl/time/time.h"
#include "hostq/v1/command.pb.h"
#include "hostq/v1/finding.pb.h"
#include "hostq/v1/manager_service.pb.h"
#include "hostq/v1/node.pb.h"

namespace hostq::testing {

class FakeManager;

// Ids of the commands below; they read well in golden texts.
inline constexpr char kDoneId[] = "01jd4n7zq8w3a";
inline constexpr char kParkedId[] = "01jd4n7zq8w3b";
inline constexpr char kMovingId[] = "01jd4n7zq8w3c";
inline constexpr char kFailedId[] = "01jd4n7zq8w3d";
inline constexpr char kQuotaId[] = "01jd4n7zq8w3e";

// Commands as three nodes (storage1, web1, web2) would have them at `now`.
v1::Command AccountCommand(const std::string& id, const std::string& domain, absl::Time now);
// Its states from QUEUED everywhere to SUCCEEDED everywhere.
std::vector<v1::Command> SucceedingCommand(const std::string& id, absl::Time now);
// web2 is parked: another host answers for the address.
v1::Command ParkedCommand(absl::Time now);
v1::Finding ParkedFinding(absl::Time now);
// web1 may not set quotas over the share: tried again and again.
v1::Command QuotaCommand(absl::Time now);
v1::Finding QuotaFinding(absl::Time now);
v1::Command MovingCommand(absl::Time now);
v1::Finding MovingFinding(absl::Time now);
v1::Command FailedCommand(absl::Time now);
// READY, with a check of each kind.
v1::Node CheckedNode(absl::Time now);

// Two causes: a broken file server and an offline node.
v1::Overview SampleOverview(absl::Time now);
// A check of each status.
v1::Diagnosis SampleDiagnosis(absl::Time now);

// All of them, nodes, accounts, shares and events.
void FillIn(FakeManager& manager, absl::Time now);

}  // namespace hostq::testing
