#!/bin/bash
# The faults named, one after the other, in one lab (run.sh). A fault is a file of the catalogue whose
# second line says what it is, whose line "# cure: " says what mends it, and that sets
#
#   reason   what hostq has to say: the finding's cause if something failed, or its reason
#   node     of which task, or about which node; web1 by default
#   heals    how the work goes on after the mending: "itself" (default) or "retry" (somebody asks for it)
#   also     other reasons that are true meanwhile
#
# and the functions
#
#   prepare  what must be there before; nothing by default
#   inject   makes the fault; returns when it can be observed
#   submit   the work; by default an account of the fault's own ($domain, $user, $address)
#   key      of the command to look at; by default that account's
#   cure     mends it
#   verify   what must hold when the work is done; nothing by default
#   tidy     takes away what is left; by default the account, if there is one
#
# shellcheck source=tests/system/lib.sh
source "${BASH_SOURCE[0]%/*}/../lib.sh"
# shellcheck source=deploy/lab/hostq.sh
source "$LAB_DIR/hostq.sh"
# shellcheck source=deploy/lab/storage.sh
source "$LAB_DIR/storage.sh"
# shellcheck source=tests/system/faults/means.sh
source "${BASH_SOURCE[0]%/*}/means.sh"
catalogue=${BASH_SOURCE[0]%/*}/catalogue
# Seconds from the moment the work is submitted, and so the fault can be observed, until it is named.
limit=10

hostq() { on storage1 hostq "$@"; }

prepare() { :; }
# shellcheck disable=SC2119
submit() { account_create; }
key() { echo "account/$domain"; }
verify() { :; }
tidy() { account_delete; }

# A node that says nothing for three heartbeats is offline: of 2 s, not of 5, to save time.
shorten_heartbeats() {
  on storage1 sh -c "printf '[limits]\nheartbeat_interval = \"2s\"\n' >>$MANAGER_CONFIG" &&
    daemon storage1 manager restart && soon 60 all_ready
}

now() { date +%s.%N; }
since() { awk -v from="$1" -v to="$(now)" 'BEGIN { printf "%.1f", to - from }'; }
# What a node's own preflight finds comes when its turn is, and several checks may fail for one cause:
# tests/system/upkeep.sh has those.
CHECK='(.resourceKey // "" | startswith("check/"))'
nothing_stuck() { holds "[.findings[]? | select(.stuck and ($CHECK | not))] | length == 0" hostq stuck; }
# No task waits for this reason, nor failed for it, and no node has it.
unnamed() { # REASON
  holds "any(.findings[]? | select($CHECK | not); .reason == \"$1\" or .cause == \"$1\") | not" hostq stuck --all
}
# What stands in the way of the task on NODE, and what is wrong with that node: causes and reasons,
# without those that only say that it moves.
given() { # ID NODE
  { hostq explain "$1" --output json; hostq stuck --node "$2" --output json; } 2>/dev/null |
    jq -rs --arg node "$2" '[(.[0].findings[]?, (.[1].findings[]? | select((.taskId // "") == "" and ('"$CHECK"' | not)))) | select(.node == $node)
      | if (.cause // "CODE_UNSPECIFIED") != "CODE_UNSPECIFIED" then .cause else .reason end
      | select(. != "IN_PROGRESS" and . != "EARLIER_STAGE" and . != "NOT_STARTED" and . != "NOT_ACCEPTED")]
      | unique | join(" ")'
}
named() { # ID NODE REASON
  said=$(given "$1" "$2")
  [[ " $said " == *" $3 "* ]]
}
# No attempt but the last of each task did anything to the end.
done_once() { # ID
  holds '[.tasks[] | [.attempts[] | select((.reason // "CODE_UNSPECIFIED") == "CODE_UNSPECIFIED" and .finishTime)]
    | length] | all(. == 1)' hostq command show "$1"
}

row() { printf '%-26s %-30s %-30s %7s %7s %7s  %s\n' "$@"; }
fail() { problems+=("$*"); }

one_fault() { # NAME NUMBER
  local id='' from start said='' seen='-' cured='-' other
  problems=()
  reason='' node=web1 heals=itself also=''
  # shellcheck disable=SC2178
  domain=$1.example user=fault$2 address=203.0.113.$((100 + $2))
  # shellcheck source=/dev/null
  source "$catalogue/$1.sh"
  log=$(mktemp)
  start=$(now)
  {
    prepare || fail "prepare failed"
    soon 30 nothing_stuck || fail "something was stuck before"
    unnamed "$reason" || fail "named before it was there"
    inject || fail "inject failed"
    submit || fail "submit failed"
    from=$(now)
    id=$(newest_command "$(key)")
    [[ $id ]] || fail "no command for $(key)"
    until named "$id" "$node" "$reason"; do
      (($(since "$from" | cut -d. -f1) < 60)) || { fail "not named"; break; }
      sleep 0.3
    done
    seen=$(since "$from")
    awk -v seen="$seen" -v limit="$limit" 'BEGIN { exit seen > limit }' || fail "named after more than $limit s"
    for other in $said; do
      [[ " $reason $also " == *" $other "* ]] || fail "also named: $other"
    done
    hostq explain "$id"
    cure || fail "cure failed"
    from=$(now)
    [[ $heals != retry ]] || hostq command retry "$id" || fail "cannot be retried"
    if soon 90 command_is "$id" SUCCEEDED; then cured=$(since "$from"); else
      fail "not done after the mending"
      hostq explain "$id"
    fi
    hostq command show "$id" --output json | jq -c '.tasks[] | {node, state, outcome, attempts: [.attempts[]? | {number, reason}]}'
    done_once "$id" || fail "done more than once"
    verify || fail "verify failed"
    soon 60 nothing_stuck || fail "something is stuck after"
    tidy || fail "tidy failed"
  } >"$log" 2>&1
  if ((${#problems[@]} == 0)); then
    row "$1" "$reason" "$said" "$seen" "$cured" "$(since "$start")" ok
  else
    row "$1" "$reason" "${said:--}" "$seen" "$cured" "$(since "$start")" "FAIL: $(printf '%s; ' "${problems[@]}")"
    sed "s/^/     $1 | /" "$log"
  fi
  rm -f "$log"
  ((${#problems[@]} == 0))
}

prepare_cluster() {
  shorten_heartbeats && hostq share mount home --source 203.0.113.1:/chroot/home --at /home --wait >/dev/null
}

prepare_cluster || { echo "the cluster cannot be prepared"; exit 1; }
number=0
for name in "$@"; do
  number=$((number + 1))
  # In a shell of its own: what one fault defines is not there for the next.
  if (one_fault "$name" "$number"); then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done
story_end
