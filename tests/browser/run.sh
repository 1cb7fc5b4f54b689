#!/bin/bash
# tests/browser/run.sh [--no-build] [--screenshots] [--serve] [PATTERN]: the dashboard in headless Chromium, against a
# real manager with 200 nodes and 10,000 commands. Two nodes have a real agent and executor, in network namespaces of
# their own; what is wrong with them is really wrong. Each page is looked at 360, 1280 and 3840 pixels wide, light and
# dark: nothing overflows, no error in the console, nothing against the content security policy, no request to elsewhere,
# no violation that axe finds. Then what a person does, by keyboard alone; what is live; text that tries to be a script.
#
#   --screenshots   also makes those of docs/screenshots
#   --serve         makes the cluster, says where it is, and waits for Ctrl-C
#   PATTERN         only checks whose names contain it
#
# Ends with "N passed, N failed"; exits 0 only if everything passed. Runs as root. Logs are in build/browser.
#
# shellcheck source=tests/crash/lib.sh
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
source tests/crash/lib.sh
run=$PWD/build/browser packages=$PWD/build/browser-packages build=1 arguments=("$@") driver=()

usage() { sed -n '2,/^# Ends with/{s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; }
fail() { echo "run.sh: $1"; echo "0 passed, 1 failed"; exit 1; }

for argument; do
  case $argument in
    -h | --help) usage; exit 0 ;;
    --no-build) build='' ;;
    --screenshots | --serve) driver+=("$argument") ;;
    -*) echo "run.sh: no option '$argument' (see --help)" >&2; exit 2 ;;
    *) driver+=("$argument") ;;
  esac
done

build_all() {
  mkdir -p build "$packages"
  { cmake --preset release &&
    cmake --build --preset release -j 2 --target hostq-manager hostq-agent hostq-executor hostq &&
    cp tests/browser/{package.json,package-lock.json,.npmrc} "$packages" &&
    (cd "$packages" && npm ci --loglevel=error); } >build/browser-build.log 2>&1 ||
    { tail -n 40 build/browser-build.log; return 1; }
}

# The manager's own machine, two nodes, and an administrator.
make_cluster() {
  make_manager && sed -i 's/"crash"/"hosting"/' "$run/manager.toml" && start_manager || return
  make_node web1 10.77.0.11 && make_node web2 10.77.0.12 &&
    hostq administrator add alice --out "$run/alice.pem" >>"$run/manager.log" || return
  hostq key create dashboard --scope read --scope submit --scope operate --scope act --scope admin \
    --rate 100000/s --max-unfinished 100000 --output json | jq -r .text >"$run/key" || return
  # An address of web2 that is where it does not belong: a command that is to bind it cannot.
  nsenter --net="$run/web2.net" ip addr add 203.0.113.20/32 dev eth0 || return
  kill "$manager" && wait "$manager" # the driver starts it
}

start_nodes() {
  local name
  for name in web1 web2; do
    nsenter --net="$run/$name.net" "$bin/hostq-executor" run --config "$run/$name/agent.toml" >>"$run/$name.log" 2>&1 &
    nsenter --net="$run/$name.net" "$bin/hostq-agent" run --config "$run/$name/agent.toml" >>"$run/$name.log" 2>&1 &
  done
}

if [[ ! ${HOSTQ_CRASH_INSIDE-} && $build ]]; then
  deploy/dependencies.sh test || fail "cannot install what the test needs"
  build_all || fail "does not build"
fi
enter_namespaces "$PWD/tests/browser/run.sh" "${arguments[@]}"
echo "logs are in build/browser"
cp tests/browser/*.mjs "$packages" || fail "cannot copy the programs"
if ! { make_run && make_cluster && start_nodes; }; then
  tail -n 5 "$run"/*.log
  fail "cannot make the cluster"
fi
HOSTQ_BIN=$bin HOSTQ_RUN=$run HOSTQ_QUORUM=$quorum HOSTQ_SCREENSHOTS=$PWD/docs/screenshots \
  node "$packages/main.mjs" "${driver[@]}"
