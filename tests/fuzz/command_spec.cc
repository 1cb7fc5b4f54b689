// What a client may ask for: bytes of CommandSpec, planned by the real cluster, one after the
// other. A refusal changes nothing and can be shown; a dry run too changes nothing; and what the
// manager plans, an agent with the default policy understands.
//
// The input is a list of chunks: a number for the node that is named, and a CommandSpec.
#include <memory>
#include <string>
#include <vector>

#include "agent/actions/action.h"
#include "agent/actions/policy.h"
#include "input.h"
#include "manager/cluster/cluster.h"

namespace hostq::manager {
namespace {

const Now kNow{absl::FromUnixSeconds(1'800'000'000), absl::Hours(1)};

bool operator==(const std::vector<ResourceChange>& a, const std::vector<ResourceChange>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.kind == y.kind && x.key == y.key && x.data == y.data;
  });
}

// A file server, two web servers, and a share mounted for homes.
std::vector<ResourceChange> MakeRows() {
  const auto cluster = *Cluster::Load({"test", "10.0.0.1"}, {});
  int number = 0;
  for (const char* name : {"storage1", "web1", "web2"}) {
    v1::CreateNodeRequest request;
    request.set_name(name);
    request.set_address(absl::StrCat("10.0.0.", ++number + 1));
    request.add_roles(number == 1 ? v1::Node::STORAGE : v1::Node::APP);
    storage::v1::Token token;
    token.set_id(name);
    token.set_node(name);
    token.set_secret_hash(std::string(64, '0'));
    token.mutable_expire_time()->set_seconds(2'000'000'000);
    HOSTQ_CHECK(cluster->AddNode(request, token, "x", kNow).ok());
    HOSTQ_CHECK(cluster->BindToken(name, "sha256:0", kNow).ok());
    HOSTQ_CHECK(
        cluster->NodeJoined({name, 1, "00", kNow.wall, absl::FromUnixSeconds(4102444800)}, kNow)
            .ok());
  }
  v1::CommandSpec spec;
  spec.mutable_mount_share()->set_share("home");
  spec.mutable_mount_share()->set_source("10.0.0.2:/chroot/home");
  spec.mutable_mount_share()->set_mount_point("/home");
  const auto plan = cluster->Plan(spec, {}, kNow);
  HOSTQ_CHECK(plan.ok());
  return cluster->Rows();
}

void CheckWork(const PlannedCommand& plan) {
  agent::v1::Work work;
  HOSTQ_CHECK(work.ParseFromString(plan.work));
  v1::CommandSpec spec;
  HOSTQ_CHECK(spec.ParseFromString(plan.spec));
  HOSTQ_CHECK(!plan.tasks.empty());
  agent::Policy policy;
  policy.hooks.directory = "/etc/hostq/hooks.d";
  for (const agent::Roles roles : {agent::Roles{true, false}, agent::Roles{false, true}}) {
    const auto steps = agent::PlanSteps(work, roles, policy);
    HOSTQ_CHECK(steps.ok() || ReasonOf(steps.status()) == Reason::kNotAllowedByPolicy);
  }
}

void Plan(Cluster& cluster, const v1::CommandSpec& spec, const std::vector<std::string>& nodes) {
  const std::vector<ResourceChange> before = cluster.Rows();
  const auto tried = cluster.TryPlan(spec, nodes, kNow);
  HOSTQ_CHECK(before == cluster.Rows());
  const auto plan = cluster.Plan(spec, nodes, kNow);
  HOSTQ_CHECK(plan.ok() == tried.ok() && ReasonOf(plan.status()) == ReasonOf(tried.status()));
  if (plan.ok()) return CheckWork(*plan);
  HOSTQ_CHECK(before == cluster.Rows());
  HOSTQ_CHECK(ReasonOf(plan.status()) != Reason::kNone);
  fuzz::CheckText(plan.status().message());
}

}  // namespace
}  // namespace hostq::manager

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hostq::manager;
  static const std::vector<ResourceChange> rows = MakeRows();
  const auto cluster = *Cluster::Load({"test", "10.0.0.1"}, rows);
  hostq::fuzz::Input input(data, size);
  for (int i = 0; i < 16 && !input.empty(); ++i) {
    const std::vector<std::vector<std::string>> nodes = {{}, {"web1"}, {"web2", "web1"}, {"web9"}};
    const size_t named = input.Byte() % nodes.size();
    const absl::string_view chunk = input.Chunk();
    hostq::v1::CommandSpec spec;
    if (!spec.ParseFromArray(chunk.data(), static_cast<int>(chunk.size()))) continue;
    Plan(*cluster, spec, nodes[named]);
  }
  return 0;
}
