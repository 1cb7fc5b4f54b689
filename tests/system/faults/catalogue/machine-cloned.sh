# shellcheck shell=bash disable=SC2034,SC2154
# The node's machine was copied, and the copy's agent runs.
# Cure: Stop the agent on the copy; join the node again, which makes the copied key void.
reason=NODE_CLONED
inject() {
  on web1 tar -C /var/lib/hostq -cf - agent | on other1 tar -C /var/lib/hostq -xf - &&
    system_user other1 hostq-agent && on other1 chown -R hostq-agent:hostq-agent /var/lib/hostq/agent && agent_start other1
  # Before, its work may go to either.
  soon "$limit" fails unnamed NODE_CLONED
}
cure() { daemon_stop other1 hostq-agent && on other1 rm -r /var/lib/hostq/agent && rejoin web1; }
verify() { soon 10 hostq alarm clear node/web1; }
