#!/bin/bash
# tests/bench/run.sh [--quick] [GOAL...]: what hostq does in a second, measured beside the durable queues and
# tools that others use, on this machine, in turn: goals 1 to 5 (docs/performance.md), or those named. Installs
# the others from Debian's packages, builds what is shipped and what measures it, and writes to build/bench.
#
#   1  the whole life of a task, one call at a time, against PostgreSQL, RabbitMQ, Redis
#   2  the same with 16 calls under way each, against Redis
#   3  one command to 200 nodes
#   4  how soon a step starts, against the disk and the network; syncs a command
#   5  agents that wait: memory, processor, and how soon they are back after a restart
#
# --quick: a few rounds of a few seconds. Only ratios of one run mean something: each
# measurement is repeated in turn with the others (A B A B), and the median and the extremes are shown.
# Ends with a line a goal and "N passed, N failed" over what each goal must reach.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
case ${1-} in
  -h | --help) sed -n '2,/^set -u/{s/^# \{0,1\}//;/^set -u/d;p}' "${BASH_SOURCE[0]}"; exit 0 ;;
esac
deploy/dependencies.sh bench || exit 1
mkdir -p build/bench
{ cmake --preset release && cmake --build --preset release --target hostq hostq-manager hostq-agent hostq-executor \
  hostq_load peer_load; } >build/bench/build.log 2>&1 || { tail -n 40 build/bench/build.log; exit 1; }
exec /usr/bin/python3 tests/bench/run.py "$@"
