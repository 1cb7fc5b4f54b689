#include "tests/unit/cli/sample_cluster.h"

#include "absl/strings/str_cat.h"
#include "manager/cli/words.h"
#include "tests/unit/cli/fake_manager.h"

namespace hostq::testing {
namespace {

using cli::FromTime;

v1::Task MakeTask(const v1::Command& command, const std::string& node, int stage,
                  v1::Task::Phase phase, absl::Time since) {
  v1::Task task;
  task.set_id(absl::StrCat(command.id(), "/", node));
  task.set_command_id(command.id());
  task.set_node(node);
  task.set_stage(stage);
  task.set_phase(phase);
  *task.mutable_phase_time() = FromTime(since);
  if (phase == v1::Task::FINISHED) task.set_outcome(v1::Task::SUCCEEDED);
  if (phase != v1::Task::QUEUED) task.set_attempt(1);
  return task;
}

v1::Command MakeCommand(const std::string& id, const std::string& kind, const std::string& key,
                        absl::Time created) {
  v1::Command command;
  command.set_id(id);
  command.set_kind(kind);
  command.set_resource_key(key);
  command.set_state(v1::Command::ACTIVE);
  command.set_actor("root");
  *command.mutable_create_time() = FromTime(created);
  return command;
}

v1::Finding MakeFinding(const v1::Command& command, const v1::Task& task) {
  v1::Finding finding;
  finding.set_task_id(task.id());
  finding.set_command_id(command.id());
  finding.set_node(task.node());
  finding.set_kind(command.kind());
  finding.set_resource_key(command.resource_key());
  *finding.mutable_since_time() = task.phase_time();
  finding.set_stuck(true);
  return finding;
}

void AddAttempt(v1::Task& task, absl::Time start, const std::string& address) {
  v1::Attempt& attempt = *task.add_attempts();
  attempt.set_number(task.attempts_size());
  *attempt.mutable_start_time() = FromTime(start);
  *attempt.mutable_finish_time() = FromTime(start + absl::Milliseconds(1250));
  attempt.set_reason(task.reason());
  attempt.set_message(task.message());
  v1::Step& user = *attempt.add_steps();
  user.set_name("user");
  user.set_changed(true);
  user.set_duration_us(84'000);
  v1::Step& quota = *attempt.add_steps();
  quota.set_name("quota");
  quota.set_duration_us(3'100);
  v1::Step& bind = *attempt.add_steps();
  bind.set_name("address " + address);
  bind.set_duration_us(1'050'000);
  bind.set_reason(task.reason());
  bind.set_message(task.message());
  (*bind.mutable_evidence())["mac"] = "02:42:ac:11:00:05";
  (*bind.mutable_evidence())["interface"] = "eth0";
}

v1::Event MakeEvent(int64_t sequence, absl::Time time, v1::Event::Type type) {
  v1::Event event;
  event.set_sequence(sequence);
  *event.mutable_time() = FromTime(time);
  event.set_type(type);
  event.set_actor("manager");
  return event;
}

v1::PreflightCheck MakeCheck(const std::string& id, v1::PreflightCheck::Status status,
                             const std::string& message) {
  v1::PreflightCheck check;
  check.set_id(id);
  check.set_status(status);
  check.set_message(message);
  return check;
}

// example.com: right on storage1, its address missing on web1; web2 was not heard of for a while.
v1::DescribeAccountResponse Description(absl::Time now) {
  v1::DescribeAccountResponse response;
  response.mutable_verdict()->set_state(v1::AccountVerdict::WRONG);
  response.mutable_verdict()->set_summary(
      "example.com is not right on web1: 203.0.113.10 is not on lo");
  response.mutable_verdict()->set_remedy("hostq account resync example.com --apply");
  const auto add = [&](const char* name, v1::Node::Role role, v1::Node::State state,
                       v1::AccountVerdict::State verdict,
                       const char* summary) -> v1::AccountOnNode& {
    v1::AccountOnNode& node = *response.add_nodes();
    node.set_node(name);
    node.add_roles(role);
    node.set_node_state(state);
    node.mutable_verdict()->set_state(verdict);
    node.mutable_verdict()->set_summary(summary);
    *node.mutable_look_time() = FromTime(now - absl::Minutes(5));
    node.set_last_task_kind("create_account");
    node.mutable_last_task()->set_phase(v1::Task::FINISHED);
    node.mutable_last_task()->set_outcome(v1::Task::SUCCEEDED);
    *node.mutable_last_task()->mutable_phase_time() = FromTime(now - absl::Hours(30));
    return node;
  };
  add("storage1", v1::Node::STORAGE, v1::Node::READY, v1::AccountVerdict::RIGHT, "as it should be");
  v1::AccountOnNode& web1 = add("web1", v1::Node::APP, v1::Node::READY, v1::AccountVerdict::WRONG,
                                "203.0.113.10 is not on lo");
  v1::Step& shell = *web1.add_differences();
  shell.set_name("user");
  shell.set_message("to be done: make /bin/bash the shell of exampleco");
  add("web2", v1::Node::APP, v1::Node::OFFLINE, v1::AccountVerdict::UNKNOWN,
      "it is not connected since 10m; what is known of it is from before");
  v1::Command& command = *response.add_commands();
  command.set_id("01jd4n7zq8w3b");
  command.set_kind("create_account");
  command.set_state(v1::Command::SUCCEEDED);
  command.set_actor("root");
  *command.mutable_create_time() = FromTime(now - absl::Hours(30));
  return response;
}

}  // namespace

v1::Command AccountCommand(const std::string& id, const std::string& domain, absl::Time now) {
  v1::Command command =
      MakeCommand(id, "create_account", "account/" + domain, now - absl::Seconds(250));
  v1::CreateAccount& spec = *command.mutable_spec()->mutable_create_account();
  spec.set_domain(domain);
  spec.set_user("exampleco");
  spec.set_address("203.0.113.10");
  spec.set_quota_bytes(int64_t{10} << 30);
  *command.add_tasks() =
      MakeTask(command, "storage1", 0, v1::Task::FINISHED, now - absl::Seconds(248));
  *command.add_tasks() = MakeTask(command, "web1", 1, v1::Task::FINISHED, now - absl::Seconds(246));
  *command.add_tasks() = MakeTask(command, "web2", 1, v1::Task::FINISHED, now - absl::Seconds(245));
  return command;
}

std::vector<v1::Command> SucceedingCommand(const std::string& id, absl::Time now) {
  v1::Command command = AccountCommand(id, "done.example", now - absl::Seconds(30));
  for (v1::Task& task : *command.mutable_tasks()) {
    task.set_phase(v1::Task::QUEUED);
    task.set_outcome(v1::Task::OUTCOME_UNSPECIFIED);
    task.set_attempt(0);
  }
  std::vector<v1::Command> states = {command};
  for (v1::Task& task : *command.mutable_tasks()) {
    task.set_phase(v1::Task::RUNNING);
    task.set_attempt(1);
    task.set_current_step("quota");
    states.push_back(command);
    task.set_phase(v1::Task::FINISHED);
    task.set_outcome(v1::Task::SUCCEEDED);
    task.clear_current_step();
  }
  command.set_state(v1::Command::SUCCEEDED);
  *command.mutable_finish_time() = FromTime(now - absl::Seconds(268));
  states.push_back(command);
  return states;
}

v1::Command ParkedCommand(absl::Time now) {
  v1::Command command = AccountCommand(kParkedId, "example.com", now);
  v1::Task& task = *command.mutable_tasks(2);
  task.set_phase(v1::Task::PARKED);
  task.set_outcome(v1::Task::OUTCOME_UNSPECIFIED);
  *task.mutable_phase_time() = FromTime(now - absl::Seconds(182));
  task.set_reason(v1::Reason::ADDRESS_OWNED_BY_OTHER_HOST);
  task.set_message("02:42:ac:11:00:05 answers for 203.0.113.10 on eth0");
  AddAttempt(task, now - absl::Seconds(184), "203.0.113.10");
  return command;
}

v1::Finding ParkedFinding(absl::Time now) {
  const v1::Command command = ParkedCommand(now);
  v1::Finding finding = MakeFinding(command, command.tasks(2));
  finding.set_reason(v1::Reason::PARKED);
  finding.set_cause(v1::Reason::ADDRESS_OWNED_BY_OTHER_HOST);
  finding.set_owner(v1::Finding::NETWORK);
  finding.set_summary("02:42:ac:11:00:05 answers for 203.0.113.10 on eth0");
  (*finding.mutable_evidence())["mac"] = "02:42:ac:11:00:05";
  (*finding.mutable_evidence())["interface"] = "eth0";
  finding.set_remedy(
      "find the host with that MAC address and take the address off it, or use another address; "
      "then: hostq command retry 01jd4n7zq8w3b");
  return finding;
}

v1::Command QuotaCommand(absl::Time now) {
  v1::Command command =
      MakeCommand(kQuotaId, "set_quota", "account/example.org", now - absl::Seconds(95));
  command.mutable_spec()->mutable_set_quota()->set_domain("example.org");
  command.mutable_spec()->mutable_set_quota()->set_quota_bytes(int64_t{20} << 30);
  v1::Task task = MakeTask(command, "web1", 0, v1::Task::BACKING_OFF, now - absl::Seconds(90));
  task.set_attempt(4);
  task.set_reason(v1::Reason::QUOTA_SET_NOT_PERMITTED);
  task.set_message("rquotad on 10.0.0.10 refused to set the quota of uid 2001");
  *task.mutable_next_attempt_time() = FromTime(now + absl::Seconds(25));
  *command.add_tasks() = task;
  return command;
}

v1::Finding QuotaFinding(absl::Time now) {
  const v1::Command command = QuotaCommand(now);
  v1::Finding finding = MakeFinding(command, command.tasks(0));
  finding.set_reason(v1::Reason::BACKING_OFF);
  finding.set_cause(v1::Reason::QUOTA_SET_NOT_PERMITTED);
  finding.set_owner(v1::Finding::FILE_SERVER);
  finding.set_summary("failed 4 times; rquotad on 10.0.0.10 refused to set the quota of uid 2001");
  (*finding.mutable_evidence())["rquotad"] = "10.0.0.10";
  (*finding.mutable_evidence())["status"] = "EPERM";
  finding.set_remedy(
      "start rpc.rquotad with -S on the file server (Debian: RPCRQUOTADOPTS=\"-S\" in "
      "/etc/default/quota, then: systemctl restart quotarpc); or set the quota on the file server "
      "itself: hostq account set-quota example.org --quota 20GiB");
  return finding;
}

v1::Command MovingCommand(absl::Time now) {
  v1::Command command = AccountCommand(kMovingId, "moving.example", now);
  v1::Task& web1 = *command.mutable_tasks(1);
  web1.set_phase(v1::Task::RUNNING);
  web1.set_outcome(v1::Task::OUTCOME_UNSPECIFIED);
  web1.set_current_step("address 203.0.113.10");
  *web1.mutable_phase_time() = FromTime(now - absl::Seconds(3));
  return command;
}

v1::Finding MovingFinding(absl::Time now) {
  const v1::Command command = MovingCommand(now);
  v1::Finding finding = MakeFinding(command, command.tasks(1));
  finding.set_reason(v1::Reason::IN_PROGRESS);
  finding.set_owner(v1::Finding::NOBODY);
  finding.set_summary("step address 203.0.113.10");
  finding.set_stuck(false);
  return finding;
}

v1::Command FailedCommand(absl::Time now) {
  v1::Command command = AccountCommand(kFailedId, "failed.example", now);
  command.set_state(v1::Command::FAILED);
  *command.mutable_finish_time() = FromTime(now - absl::Seconds(100));
  v1::Task& task = *command.mutable_tasks(1);
  task.set_outcome(v1::Task::FAILED);
  task.set_reason(v1::Reason::UID_TAKEN);
  task.set_message("uid 2001 is \"olduser\" on web1; skipped by root: web1 is being replaced");
  return command;
}

v1::Node CheckedNode(absl::Time now) {
  v1::Node node;
  node.set_name("web1");
  node.add_roles(v1::Node::APP);
  node.set_address("10.0.0.11");
  node.set_state(v1::Node::READY);
  *node.mutable_state_time() = FromTime(now - absl::Hours(5));
  *node.mutable_create_time() = FromTime(now - absl::Hours(50));
  *node.mutable_join_time() = FromTime(now - absl::Hours(49));
  *node.mutable_preflight_time() = FromTime(now - absl::Minutes(3));
  *node.mutable_certificate_expire_time() = FromTime(now + absl::Hours(24 * 30));
  node.set_agent_version("0.1.0");
  node.set_tasks_queued(1);
  node.set_credits(16);
  node.set_clock_skew_ms(-12);
  *node.add_checks() = MakeCheck("kernel-nfs", v1::PreflightCheck::OK, "the kernel knows nfs4");
  v1::PreflightCheck arp =
      MakeCheck("arp", v1::PreflightCheck::WARNING, "net.ipv4.conf.all.arp_ignore is 0");
  arp.set_reason(v1::Reason::ARP_NOT_SILENCED);
  arp.set_remedy(
      "on web1: sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2");
  *node.add_checks() = arp;
  v1::PreflightCheck quota = MakeCheck("quota-set", v1::PreflightCheck::FAILED,
                                       "rquotad on 10.0.0.10 does not permit setting quotas");
  quota.set_reason(v1::Reason::QUOTA_SET_NOT_PERMITTED);
  quota.set_remedy("start rpc.rquotad with -S on the file server; then: hostq node preflight web1");
  *node.add_checks() = quota;
  *node.add_checks() =
      MakeCheck("quota-enforced", v1::PreflightCheck::SKIPPED, "not a storage node");
  return node;
}

v1::Overview SampleOverview(absl::Time now) {
  v1::Overview overview;
  *overview.mutable_time() = FromTime(now);
  overview.mutable_manager()->set_version("1.2.3");
  overview.mutable_manager()->set_cluster("prod");
  *overview.mutable_manager()->mutable_start_time() = FromTime(now - absl::Hours(50));
  overview.mutable_manager()->set_store_ok(true);
  v1::NodeCount& ready = *overview.add_nodes();
  ready.set_state(v1::Node::READY);
  ready.set_count(11);
  v1::NodeCount& offline = *overview.add_nodes();
  offline.set_state(v1::Node::OFFLINE);
  offline.set_count(1);
  offline.add_names("web2");
  v1::PhaseCount& queued = *overview.add_phases();
  queued.set_phase(v1::Task::QUEUED);
  queued.set_count(12);
  *queued.mutable_oldest_time() = FromTime(now - absl::Seconds(200));
  v1::PhaseCount& parked = *overview.add_phases();
  parked.set_phase(v1::Task::PARKED);
  parked.set_count(5);
  *parked.mutable_oldest_time() = FromTime(now - absl::Minutes(90));
  overview.set_active_commands(9);
  v1::TaskInFlight& task = *overview.add_in_flight();
  task.set_task_id(std::string(kMovingId) + "/web1");
  task.set_command_id(kMovingId);
  task.set_node("web1");
  task.set_kind("create_account");
  task.set_resource_key("account/moving.example");
  task.set_phase(v1::Task::RUNNING);
  *task.mutable_phase_time() = FromTime(now - absl::Seconds(3));
  task.set_current_step("quota");
  v1::Cause& quota = *overview.add_causes();
  quota.set_id("QUOTA_SET_NOT_PERMITTED/203.0.113.1");
  quota.set_reason(v1::Reason::QUOTA_SET_NOT_PERMITTED);
  quota.set_owner(v1::Finding::FILE_SERVER);
  quota.set_subject("203.0.113.1");
  for (const char* node : {"web1", "web3", "web4"}) quota.add_nodes(node);
  quota.set_node_count(9);
  quota.set_task_count(5);
  quota.set_waiting_count(3);
  *quota.mutable_since_time() = FromTime(now - absl::Minutes(90));
  v1::Cause& gone = *overview.add_causes();
  gone.set_id("NODE_OFFLINE/web2");
  gone.set_reason(v1::Reason::NODE_OFFLINE);
  gone.set_owner(v1::Finding::NODE);
  gone.set_subject("web2");
  gone.add_nodes("web2");
  gone.set_node_count(1);
  *gone.mutable_since_time() = FromTime(now - absl::Seconds(20));
  overview.set_stuck_findings(9);
  overview.mutable_last_minute()->set_commands_accepted(1);
  overview.mutable_last_minute()->set_tasks_finished(12);
  overview.mutable_last_hour()->set_commands_accepted(310);
  overview.mutable_last_hour()->set_tasks_finished(2900);
  overview.mutable_last_hour()->set_tasks_failed(4);
  overview.set_alarms(1);
  return overview;
}

v1::Diagnosis SampleDiagnosis(absl::Time now) {
  v1::Diagnosis diagnosis;
  *diagnosis.mutable_time() = FromTime(now);
  const auto add = [&](const char* id, v1::PreflightCheck::Status status, const char* message) {
    v1::ManagerCheck& check = *diagnosis.add_checks();
    check.set_id(id);
    check.set_status(status);
    check.set_message(message);
    return &check;
  };
  add("store", v1::PreflightCheck::OK, "the database takes what is submitted");
  v1::ManagerCheck* disk =
      add("disk-free", v1::PreflightCheck::FAILED, "12.0 MiB free below /var/lib/hostq/manager");
  disk->set_reason(v1::Reason::DISK_LOW);
  disk->set_remedy("free space on the file system; when it is full, nothing can be submitted");
  (*disk->mutable_evidence())["free_bytes"] = "12582912";
  v1::ManagerCheck* versions = add("agent-versions", v1::PreflightCheck::WARNING,
                                   "the manager is 1.2.3; of another version: web2 (1.2.2)");
  versions->set_reason(v1::Reason::VERSION_SKEW);
  versions->set_remedy("upgrade the agents there, one node after the other");
  add("backup", v1::PreflightCheck::SKIPPED, "the manager does not see backups");
  return diagnosis;
}

void FillIn(FakeManager& manager, absl::Time now) {
  manager.overview = SampleOverview(now);
  manager.diagnosis = SampleDiagnosis(now);
  manager.commands[kDoneId] = SucceedingCommand(kDoneId, now);
  manager.commands[kParkedId] = {ParkedCommand(now)};
  manager.commands[kMovingId] = {MovingCommand(now)};
  manager.commands[kFailedId] = {FailedCommand(now)};
  manager.commands[kQuotaId] = {QuotaCommand(now)};
  manager.findings[kParkedId] = {ParkedFinding(now)};
  manager.findings[kMovingId] = {MovingFinding(now)};
  manager.findings[kQuotaId] = {QuotaFinding(now)};

  manager.nodes.push_back(CheckedNode(now));
  v1::Node& paused = manager.nodes.emplace_back(CheckedNode(now));
  paused.set_name("web2");
  paused.set_address("10.0.0.12");
  paused.set_state(v1::Node::PAUSED);
  paused.set_paused_by("root");
  paused.set_pause_note("new disk until noon");
  paused.mutable_checks()->DeleteSubrange(1, 2);

  v1::Account& account = manager.accounts.emplace_back();
  account.set_domain("example.com");
  account.set_user("exampleco");
  account.set_uid(2001);
  account.set_gid(2001);
  account.set_home("/home/exampleco");
  account.add_addresses("203.0.113.10");
  account.add_addresses("2001:db8::10");
  account.set_quota_bytes(int64_t{10} << 30);
  account.set_state(v1::Account::ACTIVE);
  account.set_generation(3);
  *account.mutable_create_time() = FromTime(now - absl::Hours(30));
  manager.descriptions[account.domain()] = Description(now);

  v1::Share& share = manager.shares.emplace_back();
  share.set_name("home");
  share.set_source("10.0.0.10:/chroot/home");
  share.set_mount_point("/chroot/home");
  share.set_nfs_version("4.2");

  v1::Event created = MakeEvent(1, now - absl::Seconds(250), v1::Event::COMMAND_CREATED);
  created.set_command_id(kParkedId);
  created.set_actor("root");
  manager.events.push_back(created);
  v1::Event parked = MakeEvent(2, now - absl::Seconds(182), v1::Event::TASK_CHANGED);
  parked.set_command_id(kParkedId);
  parked.set_node("web2");
  parked.set_attempt(1);
  parked.set_from_phase(v1::Task::RUNNING);
  parked.set_to_phase(v1::Task::PARKED);
  parked.set_reason(v1::Reason::ADDRESS_OWNED_BY_OTHER_HOST);
  parked.set_actor("node/web2");
  parked.set_message("02:42:ac:11:00:05 answers for 203.0.113.10 on eth0");
  manager.events.push_back(parked);
  v1::Event lost = MakeEvent(3, now - absl::Seconds(20), v1::Event::NODE_DISCONNECTED);
  lost.set_node("web2");
  manager.events.push_back(lost);
}

}  // namespace hostq::testing
