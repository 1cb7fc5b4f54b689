#!/bin/bash
# Nothing gets stuck with what is stuck, told as a story: a file system that is frozen holds the process
# of a step so that nothing can end it; a dead file server under a hard mount. Meanwhile the node is
# there, does all other work, and can be started again; and it goes on by itself.
#
#   deploy/lab/run.sh tests/system/wedged.sh
#
# shellcheck source=tests/system/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

wedged() { # NODE FILTER: somebody waits for a process there that cannot be ended
  holds "any(.findings[]?; .node == \"$1\" and (.reason == \"WEDGED\" or .cause == \"WEDGED\") and ($2))" hostq stuck
}
not_wedged() { ! wedged "$1" true; }
# HOST: the processes of ours that wait and cannot be interrupted.
# shellcheck disable=SC2016
held() { on "$1" sh -c 'for stat in /proc/[0-9]*/stat; do
    sed -n "s/^\([0-9]*\) (hostq.*) D .*/\1/p" "$stat" 2>/dev/null; done'; }
held_are() { # HOST NUMBER
  local -a pids
  mapfile -t pids < <(held "$1")
  ((${#pids[@]} == $2)) || { echo "${#pids[@]}: ${pids[*]}"; return 1; }
}
last_seen() { hostq node show "$1" --output json | jq -e .lastSeenTime; }
held_at_most() { (($(held "$1" | wc -l) <= $2)); } # HOST NUMBER
for_10_s() { # COMMAND...
  local end=$((SECONDS + 10))
  while ((SECONDS < end)); do "$@" || return; done
}
other_work() { # COMMAND...
  run "$@" --wait --timeout 20s
  check "other work is done meanwhile" succeeded
}

frozen() {
  chapter "A file system that is frozen"
  say "What fsfreeze(8) does for a snapshot, a failing disk or a hung controller does as well: whoever writes waits, and
not even SIGKILL ends the wait."
  run on storage1 fsfreeze --freeze /chroot/home
  run hostq account create frozen.example --user frozenco --address 203.0.113.20 --quota 10MiB
  id=$(newest_command account/frozen.example)
  check_soon 75 "the step is ended at its deadline, and does not end: named" wedged storage1 .stuck
  run hostq explain "$id"
  check "with the process and its state" shows "D (disk sleep)"
  check "and where in the kernel it waits" shows wchan
  check "storage1 is there" node_is storage1 READY
  check "one process is held" held_are storage1 1
  other_work hostq node preflight storage1
}

restart() { # PROGRAM
  chapter "$1 is started again meanwhile"
  run daemon storage1 "$1" restart
  check_soon 30 "storage1 is back" node_is storage1 READY
  other_work hostq node preflight storage1
  sleep 10
  check "no second process was sent after the first" held_are storage1 1
  check_soon 15 "the first is named still" wedged storage1 true
}

thaw() {
  chapter "The file system is thawed"
  run on storage1 fsfreeze --unfreeze /chroot/home
  check_soon 60 "the process ends" held_are storage1 0
  check_soon 150 "the command succeeds by itself" command_is "$id" SUCCEEDED
  check_soon 15 "nothing is stuck" not_wedged storage1
  run on storage1 ls -ld /chroot/home/frozenco
  check "and the home is there" succeeded
}

dead_server() {
  chapter "A dead file server under a hard mount"
  run nfsd stop
  run hostq account create dead.example --user deadco --address 203.0.113.30 --quota 10MiB
  id=$(newest_command account/dead.example)
  check_soon 30 "named" holds 'any(.findings[]?; .node == "web1" and (.cause == "SHARE_UNRESPONSIVE" or .reason == "SHARE_UNRESPONSIVE"))' hostq stuck
  check "web1 is there" node_is web1 READY
  other_work hostq address bind 203.0.113.31 --node web1
  run daemon web1 node restart
  check_soon 30 "agent and executor start with the server away" node_is web1 READY
  other_work hostq address bind 203.0.113.32 --node web1
  check "one process at a time looks at the share" for_10_s held_at_most web1 1
  run nfsd start
  check_soon 150 "the server is back: done by itself" command_is "$id" SUCCEEDED
}

run hostq share mount home --source 203.0.113.1:/chroot/home --at /home --wait
frozen
restart agent
restart executor
restart node
thaw
dead_server
story_end
