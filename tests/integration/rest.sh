#!/bin/bash
# tests/integration/rest.sh [--no-build] [PATTERN]: the HTTPS port of a real manager with a real agent.
#
#   - docs/openapi.yaml is what docs/openapi/generate.py makes, is good OpenAPI (Redocly's rules), and is true: every
#     operation in it is called, every answer is checked against its schemas, and what the server takes is what it says
#   - errors, entity tags, repeated requests, events, sessions, as docs/reference/rest.md has them
#
# Everything is on loopback in a network namespace of its own, and in a temporary directory that goes with it
# (HOSTQ_KEEP=1 keeps it). PATTERN: only the checks whose name matches.
#
# Ends with "N passed, N failed"; exits 0 only if everything passed. Runs as root.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
usage() { sed -n "2,/^# Ends with/{s/^# \{0,1\}//;p}" tests/integration/rest.sh; }
fail() { echo "rest.sh: $1"; echo "0 passed, 1 failed"; exit 1; }

build=1 pattern=
for argument; do
  case $argument in
    -h | --help) usage; exit 0 ;;
    --no-build) build='' ;;
    *) pattern=$argument ;;
  esac
done
if [[ $build && ! ${HOSTQ_BIN-} ]]; then
  mkdir -p build
  { cmake --preset release && cmake --build --preset release --target hostq-manager hostq-agent hostq; } \
    >build/rest-build.log 2>&1 || { tail -n 40 build/rest-build.log; fail "does not build"; }
fi

# The linter is installed below build/, by the lock file.
linter=build/openapi
mkdir -p $linter
cp -pu tests/openapi/* $linter/
if [[ ! -d $linter/node_modules || $linter/package-lock.json -nt $linter/node_modules ]]; then
  (cd $linter && npm ci --no-audit --no-fund && touch node_modules) >build/openapi-npm.log 2>&1 ||
    { tail -n 20 build/openapi-npm.log; fail "the linter cannot be installed"; }
fi

ulimit -n "$(ulimit -Hn)"
# What is made inside ends with it: processes, addresses, connections.
exec unshare --net --mount --pid --fork --kill-child --mount-proc bash -c '
  ip link set lo up && sysctl -qw net.core.somaxconn=4096
  exec /usr/bin/python3 -B "$@"' bash tests/integration/rest/run.py "$linter" "$pattern"
