#!/bin/bash
# tests/hostile/run.sh [--list] [--verbose] [--no-build] [PATTERN]: attacks on a running manager, on every port of it:
# wrong certificates, malformed frames, floods, slow senders, ten thousand connections, guessed tokens. During each, others
# are served within normal time and an agent keeps its session; after it, memory and descriptors are back, and the log tells.
# Everything is on loopback in a network namespace of its own, and in a temporary directory that goes with it
# (HOSTQ_KEEP=1 keeps it). PATTERN: of "ATTACK on PORT", only those that match.
#
# tests/hostile/run.sh --secrets: another run, at log level debug, after which every secret that was used is looked for in
# all logs, databases, answers and error texts.
#
# Ends with "N passed, N failed"; exits 0 only if everything passed. Runs as root. See tests/hostile/README.md.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
usage() { sed -n "2,/^# Ends with/{s/^# \{0,1\}//;p}" tests/hostile/run.sh; }
fail() { echo "run.sh: $1"; echo "0 passed, 1 failed"; exit 1; }

build=1 program=run.py arguments=()
for argument; do
  case $argument in
    -h | --help) usage; exit 0 ;;
    --no-build) build='' ;;
    --secrets) program=secrets_search.py ;;
    *) arguments+=("$argument") ;;
  esac
done
if [[ $build && ! ${HOSTQ_BIN-} ]]; then
  mkdir -p build
  { cmake --preset release && cmake --build --preset release --target hostq-manager hostq-agent hostq-executor hostq; } \
    >build/hostile-build.log 2>&1 || { tail -n 40 build/hostile-build.log; fail "does not build"; }
fi
ulimit -n "$(ulimit -Hn)"
# What is made inside ends with it: processes, addresses, connections.
exec unshare --net --mount --pid --fork --kill-child --mount-proc bash -c '
  ip link set lo up && sysctl -qw net.core.somaxconn=4096 net.ipv4.ip_local_port_range="10000 65000"
  exec python3 -B "$@"' bash "tests/hostile/$program" "${arguments[@]}"
