# shellcheck shell=bash disable=SC2034,SC2154
# The executor is killed whenever it begins a step, and started again.
# Cure: Find out who kills it (dmesg: was memory short?) and end that.
reason=STEP_CRASHED
inject() {
  # It strikes at the first pass that the file knows, and the file forgets.
  daemon web1 executor stop && daemon_start web1 killer sh -c 'while sleep 0.1; do : >/run/passes; done' &&
    daemon_start web1 starter sh -c "while sleep 0.3; do
      HOSTQ_CRASH_POINT=executor.before_step:1:/run/passes hostq-executor run --config $AGENT_CONFIG; done"
}
# shellcheck disable=SC2016
cure() {
  daemon_stop web1 killer && on web1 bash -c 'kill -KILL -- "-$(</run/starter.pid)"' && daemon web1 executor start
}
