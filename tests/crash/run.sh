#!/bin/bash
# tests/crash/run.sh [--cycles N] [--seed N] [--no-build]: the real programs, killed. A manager and
# two agents in network namespaces of their own, real mutual TLS, real databases, real addresses on
# lo; 24 clients bind and unbind addresses all the time. Each of N cycles (12) kills every program at
# a random moment and once at a named point between "received" and "acknowledged"
# (common/base/crash_point.h): every point of the sources is reached at least once, however small N
# is, but for those of joins and renewals, which no load brings about (agent_install_test strikes
# each of them). Afterwards each acknowledged command is there once, with one result and one effect on each of
# its nodes, as the API and the kernel (`ip monitor address`) tell it.
#
# The hundreds: tests/crash/run.sh --cycles 300. The seed decides what is killed when, not how the
# processes are scheduled: a failure need not show again at once. Logs are in build/crash.
#
# Ends with "N passed, N failed"; exits 0 only if everything passed. Runs as root.
#
# shellcheck source=tests/crash/lib.sh
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
source tests/crash/lib.sh
cycles=12 seed=$RANDOM build=1

usage() { sed -n '2,/^# Ends with/{s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; }
fail() { echo "run.sh: $1"; echo "0 passed, 1 failed"; exit 1; }

arguments=("$@")
while (($#)); do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --no-build) build='' ;;
    --cycles | --seed)
      [[ ${2-} =~ ^[0-9]+$ ]] || { echo "run.sh: $1 needs a number" >&2; exit 2; }
      printf -v "${1#--}" '%s' "$2"
      shift
      ;;
    *) echo "run.sh: no option '$1' (see --help)" >&2; exit 2 ;;
  esac
  shift
done

make_cluster() {
  make_manager && start_manager && make_node n1 10.77.0.11 && make_node n2 10.77.0.12 || return
  kill "$manager" && wait "$manager"  # the driver starts it
}

if [[ ! ${HOSTQ_CRASH_INSIDE-} && $build ]]; then build || fail "does not build"; fi
enter_namespaces "$PWD/tests/crash/run.sh" "${arguments[@]}"
echo "logs are in build/crash"
if ! { make_run && make_cluster; }; then
  tail -n 5 "$run"/*.log
  fail "cannot make the cluster"
fi
mapfile -t points < <(grep -rhoE --include='*.cc' 'CrashPoint\("[a-z_.]+"' manager agent common |
  sed 's/.*("//;s/"//' | grep -vE '^agent\.(identity_|renewal_)' | sort -u)
build/release/tests/hostq_crash --bin "$bin" --run "$run" --cycles "$cycles" --seed "$seed" \
  "${points[@]}"
