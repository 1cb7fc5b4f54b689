#!/bin/bash
# tests/crash/recovery.sh [--no-build]: docs/recovery.md, done. The real programs on file systems that
# are full, read-only, or hold a database that is damaged or too new: what is seen, what goes on, and
# that it works again after what the document says to do.
#
# Ends with "N passed, N failed"; exits 0 only if everything passed. Runs as root; what it makes ends
# with it, but the logs in build/recovery.
#
# shellcheck source=tests/crash/lib.sh
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
source tests/crash/lib.sh
run=$PWD/build/recovery
passed=0 failed=0 agent=0

case ${1-} in
  '') [[ ${HOSTQ_CRASH_INSIDE-} ]] || build || { echo "0 passed, 1 failed"; exit 1; } ;;
  --no-build) ;;
  *) sed -n '2,/^# Ends with/{s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
enter_namespaces "$PWD/tests/crash/recovery.sh" "$@"

check() { # WHAT COMMAND...
  local what=$1
  shift
  if "$@" >"$run/output" 2>&1; then
    ((++passed))
    echo "  ok   $what"
  else
    ((++failed))
    echo "  FAIL $what"
    sed 's/^/       /' "$run/output" | tail -n 10
  fi
}
says() { # TEXT COMMAND...: it fails, and says that
  local text=$1 output
  shift
  output=$("$@" 2>&1) && { echo "succeeded: $output"; return 1; }
  echo "$output"
  [[ $output == *"$text"* ]]
}
shows() { # TEXT COMMAND...
  local text=$1 output
  shift
  output=$("$@" 2>&1) || { echo "$output"; return 1; }
  echo "$output"
  [[ $output == *"$text"* ]]
}
ends() { # STATUS TEXT COMMAND...: it ends with that status, and says that
  local status=$1 text=$2 output
  shift 2
  output=$(timeout 10 "$@" 2>&1)
  (($? == status)) && [[ $output == *"$text"* ]] && return
  echo "$output"
  return 1
}

bind_address() { hostq address bind "$1" --request-id "bind-$1" --wait --timeout 30s; } # ADDRESS
bound() { nsenter --net="$run/n1.net" ip -o addr show dev lo | grep -qF " $1/"; } # ADDRESS
running() { kill -0 "$1"; }
ready() { hostq node list --output json | jq -e '.nodes | length == 1 and all(.state == "READY")'; }
start_agent() {
  "${run_agent[@]}" >>"$run/n1.log" 2>&1 &
  agent=$!
}
start_executor() {
  nsenter --net="$run/n1.net" "$bin/hostq-executor" run --config "$run/n1/agent.toml" >>"$run/n1.executor.log" 2>&1 &
}
stop_agent() { kill "$agent"; wait "$agent"; }
stop_manager() { kill "$manager"; wait "$manager"; }
fill() { # DIRECTORY
  dd if=/dev/zero of="$1/filler" bs=1M status=none
  dd if=/dev/zero of="$1/filler2" bs=4096 status=none
} 2>/dev/null
user_version() { printf '\0\0\1\0' | dd of="$1" bs=1 seek=60 conv=notrunc status=none; } # DATABASE
damage() { dd if=/dev/urandom of="$1" bs=4096 count=4 conv=notrunc status=none; } # DATABASE

make_cluster() {
  make_run && mkdir -p "$run"/{manager,n1/state} || return
  run_manager=("$bin/hostq-manager" run --config "$run/manager.toml")
  run_agent=(nsenter --net="$run/n1.net" "$bin/hostq-agent" run --config "$run/n1/agent.toml")
  mount -t tmpfs -o size=8m,mode=700 manager "$run/manager" &&
    mount -t tmpfs -o size=128m,mode=700 n1 "$run/n1/state" &&
    make_manager && start_manager && make_node n1 10.77.0.11 && start_executor && start_agent && eventually 30 ready
}
make_cluster || { tail -n 5 "$run"/*.log; echo "0 passed, 1 failed"; exit 1; }

echo "The manager's disk is full"
check "a command is done" bind_address 2001:db8::1
fill "$run/manager"
check "soon a command is refused with STORE_UNAVAILABLE" eventually 20 says STORE_UNAVAILABLE bind_address 2001:db8::2
check "and the next" says STORE_UNAVAILABLE bind_address 2001:db8::3
check "reading goes on" shows n1 hostq node list
check "hostq stuck names the manager itself" shows STORE_UNAVAILABLE hostq stuck
check "what was acknowledged is there" shows 2001:db8::1 hostq command list --all
check "the process is" running "$manager"
rm "$run"/manager/filler*
check "with space, the manager goes on by itself" eventually 20 bind_address 2001:db8::2
check "it is the same process" running "$manager"
check "the address is on lo" bound 2001:db8::2

echo "The manager's disk is read-only"
stop_manager
mount -o remount,ro "$run/manager"
check "the manager does not start, and says why" ends 1 STORE_UNAVAILABLE "${run_manager[@]}"
mount -o remount,rw "$run/manager"
check "writable, it starts" start_manager
check "the node is back" eventually 30 ready

echo "The manager's database is damaged"
stop_manager
mkdir "$run"/{backup,damaged} && cp -a "$run/manager/hostq.db" "$run/backup/"
start_manager
check "a command is done that the backup does not have" bind_address 2001:db8::5
stop_manager
damage "$run/manager/hostq.db"
check "the manager does not start, and says why" ends 1 STORE_UNAVAILABLE "${run_manager[@]}"
mv "$run"/manager/hostq.db* "$run/damaged/"
cp -a "$run/backup/hostq.db" "$run/manager/"
check "with the backup it starts" start_manager
check "the node is back" eventually 30 ready
check "the command since the backup can be given again" bind_address 2001:db8::5
check "what the backup had is there" shows 2001:db8::2 hostq command list --all

echo "The manager's database is of a newer version"
stop_manager
cp -a "$run/manager/hostq.db" "$run/backup/"
user_version "$run/manager/hostq.db"
check "the manager does not start, and says why" ends 1 "newer program" "${run_manager[@]}"
cp -a "$run/backup/hostq.db" "$run/manager/"
check "with the old one it starts" start_manager
check "the node is back" eventually 30 ready

echo "A node's disk is full"
fill "$run/n1/state"
submit_20() {
  local i
  for ((i = 1; i <= 20; ++i)); do hostq address bind "2001:db8:1::$i" || return; done
}
check "commands are acknowledged" submit_20
check "the node refuses them with JOURNAL_UNAVAILABLE" eventually 20 shows JOURNAL_UNAVAILABLE hostq stuck
check "the agent is there" running "$agent"
rm "$run"/n1/state/filler*
check "with space, everything is done" eventually 60 bound 2001:db8:1::20
check "nothing is stuck" eventually 30 hostq stuck --exit-code

echo "A node's disk is read-only"
stop_agent
mount -o remount,ro "$run/n1/state"
check "the agent does not start, and says why" ends 1 JOURNAL_UNAVAILABLE "${run_agent[@]}"
mount -o remount,rw "$run/n1/state"
start_agent
check "writable, it does" eventually 30 ready

echo "A node's journal is damaged"
stop_agent
damage "$run/n1/state/journal.db"
check "the agent does not start, and says why" ends 1 JOURNAL_UNAVAILABLE "${run_agent[@]}"
rm "$run"/n1/state/journal.db*
start_agent
check "without the journal it does" eventually 30 ready
check "and works" bind_address 2001:db8::6
check "the address is on lo" bound 2001:db8::6

stop_agent
stop_manager
echo "$passed passed, $failed failed"
((failed == 0 && passed > 0))
