# shellcheck shell=bash disable=SC2034,SC2154
# The executor is killed whenever it is there, also in the middle of steps.
# Cure: Find out who kills it (dmesg: was memory short?) and end that.
reason=STEP_CRASHED
# shellcheck disable=SC2016
inject() {
  daemon_start web1 killer sh -c 'while sleep 0.5; do kill -9 $(pgrep -x hostq-executor); done'
}
cure() { daemon_stop web1 killer; }
