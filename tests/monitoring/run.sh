#!/bin/bash
# tests/monitoring/run.sh [--no-build]: what hostq tells Prometheus, checked with Prometheus's own tools.
#
#   1. deploy/monitoring: promtool checks the configuration and the rules, and tests each alert (rules*_test.yaml):
#      it fires, not too early, and is the only one for its root cause.
#   2. A real manager, agent and executor: GET /metrics for who may and who may not; docs/reference/metrics.md
#      against the page, in both directions; every metric that the alerts and the dashboard name is there.
#   3. A real Prometheus reads the manager over HTTPS with an API key, evaluates every rule, and has an alert pending
#      for a node that goes away.
#   4. A command with a W3C trace context: its trace id leads through the logs of all three programs.
#
# Everything is on loopback in a network namespace of its own, and in a temporary directory that goes with it
# (HOSTQ_KEEP=1 keeps it). HOSTQ_BIN: where the programs are, instead of build/release/bin.
# Ends with "N passed, N failed"; exits 0 only if everything passed. Runs as root.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
usage() { sed -n "2,/^# Ends with/{s/^# \{0,1\}//;p}" "${BASH_SOURCE[0]}"; }
fail() { echo "run.sh: $1"; echo "0 passed, 1 failed"; exit 1; }

build=1
for argument; do
  case $argument in
    -h | --help) usage; exit 0 ;;
    --no-build) build='' ;;
    *) echo "run.sh: no option '$argument' (see --help)" >&2; exit 2 ;;
  esac
done
for tool in promtool prometheus; do
  command -v "$tool" >/dev/null || fail "$tool is not installed: deploy/dependencies.sh test"
done
if [[ $build && ! ${HOSTQ_BIN-} ]]; then
  mkdir -p build
  { cmake --preset release && cmake --build --preset release --target hostq-manager hostq-agent hostq-executor hostq; } \
    >build/monitoring-build.log 2>&1 || { tail -n 40 build/monitoring-build.log; fail "does not build"; }
fi
# What is made inside ends with it: processes, addresses, connections.
# A node takes work once its preflight has passed. That asks for a kernel that can mount NFS, which nothing here
# needs and not every machine that runs tests has.
mkdir -p build
{ cat /proc/filesystems && printf 'nodev\tnfs\nnodev\tnfs4\n'; } >build/monitoring-filesystems
exec unshare --net --mount --pid --fork --kill-child --mount-proc bash -c '
  mount --bind build/monitoring-filesystems /proc/filesystems &&
  ip link set lo up && exec python3 -B tests/monitoring/run.py'
