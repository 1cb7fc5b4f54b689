# shellcheck shell=bash disable=SC2034,SC2154
# The executor is killed whenever it begins a step.
# Cure: Find out who kills it (dmesg: was memory short?) and end that.
reason=STEP_CRASHED
inject() {
  # It strikes at the first pass that the file knows, and the file forgets.
  daemon_start web1 killer sh -c 'while sleep 0.1; do : >/run/passes; done' &&
    agent_restart web1 env HOSTQ_CRASH_POINT=agent.executor_before_step:1:/run/passes
}
cure() { daemon_stop web1 killer && agent_restart web1; }
