# shellcheck shell=bash disable=SC2034,SC2154
# The executor dies while it runs a step, and nobody starts it.
# Cure: Start it: systemctl start hostq-executor.
reason=EXECUTOR_UNAVAILABLE
inject() {
  daemon web1 executor stop &&
    daemon_start web1 hostq-executor env "HOSTQ_CRASH_POINT=executor.after_step:2:/run/crash.$domain" hostq-executor run --config "$AGENT_CONFIG"
}
submit() { account_create && soon 30 daemon_gone web1 hostq-executor && sleep 5; }
cure() { daemon web1 executor start; }
