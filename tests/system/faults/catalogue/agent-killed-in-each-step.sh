# shellcheck shell=bash disable=SC2034,SC2154
# The agent is killed after the first step of its work, started and killed after the second, and so on.
# Cure: Start it.
reason=NODE_OFFLINE
armed() { agent_start web1 env "HOSTQ_CRASH_POINT=agent.step_done:$1:/tmp/crash.$domain.$1"; }
inject() { daemon web1 agent stop && armed 1; }
submit() {
  account_create || return
  local step
  for step in 2 3 4; do soon 30 daemon_gone web1 hostq-agent && armed "$step" || return; done
  soon 30 daemon_gone web1 hostq-agent
}
cure() { daemon web1 agent start; }
