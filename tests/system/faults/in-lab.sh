#!/bin/bash
# The faults named, one after the other, in one lab (run.sh). A fault is a file of the catalogue that
# sets
#
#   reason   what hostq explain has to say: the finding's cause if something failed, or its reason
#   node     of which task; web1 by default
#   heals    how the work goes on after the mending: "itself" (default) or "retry" (somebody asks for it)
#   also     other reasons that are true meanwhile
#
# and the functions
#
#   prepare  what must be there before; nothing by default
#   inject   makes the fault
#   submit   the work; by default an account of the fault's own ($domain, $user, $address)
#   key      of the command to look at; by default that account's
#   cure     mends it
#   verify   what must hold when the work is done; nothing by default
#   tidy     takes away what is left; by default the account, if there is one
#
# shellcheck source=tests/system/lib.sh
source "${BASH_SOURCE[0]%/*}/../lib.sh"
catalogue=${BASH_SOURCE[0]%/*}/catalogue

prepare() { :; }
# shellcheck disable=SC2119
submit() { account_create; }
key() { echo "account/$domain"; }
verify() { :; }
tidy() { account_delete; }

# shellcheck disable=SC2120,SC2128,SC2178
account_create() { hostq account create "$domain" --user "$user" --address "$address" --quota 10MiB "$@"; }
account_delete() {
  hostq account show "$domain" >/dev/null 2>&1 || return 0
  hostq account delete "$domain" --yes --wait --timeout 60s
}

# The work is to mount the share on web1, which does not have it.
mount_share() { hostq share mount home --source 203.0.113.1:/chroot/home --at /home --node web1 "$@"; }
# shellcheck disable=SC2317
work_is_mounting() {
  prepare() { hostq share unmount home --node web1 --wait; }
  submit() { mount_share; }
  key() { echo share/home; }
  tidy() { :; }
}
# The work is to unmount it.
# shellcheck disable=SC2317
work_is_unmounting() {
  submit() { hostq share unmount home --node web1; }
  key() { echo share/home; }
  tidy() { mount_share --wait; }
}

# What storage1 exports, other than before.
change_exports() { # SED
  # shellcheck disable=SC2016
  on storage1 sh -c 'cp /etc/exports /run/exports.kept; sed -i "$1" /etc/exports; exportfs -ra; exportfs -f' sh "$1"
}
restore_exports() { on storage1 sh -c 'cp /run/exports.kept /etc/exports; exportfs -ra'; }

# The agents of the web servers begin anew with these lines in their policy.
agent_policy() { # LINES
  local host
  for host in web1 web2; do
    # shellcheck disable=SC2016
    on "$host" sh -c 'printf "state_dir = \"/var/lib/hostq/agent\"\n[policy]\n%s\n" "$1" >/etc/hostq/agent.toml' sh "$1"
    daemon "$host" agent restart && soon 60 node_is "$host" READY || return
  done
}

now() { date +%s.%N; }
since() { awk -v from="$1" -v to="$(now)" 'BEGIN { printf "%.1f", to - from }'; }
nothing_stuck() { holds '[.findings[]? | select(.stuck)] | length == 0' hostq stuck; }
# What stands in the way of the task on NODE: causes and reasons, without those that only say that it
# moves.
given() { # ID NODE
  hostq explain "$1" --output json 2>/dev/null | jq -r --arg node "$2" \
    '[.findings[]? | select(.node == $node) | if (.cause // "CODE_UNSPECIFIED") != "CODE_UNSPECIFIED"
      then .cause else .reason end
      | select(. != "IN_PROGRESS" and . != "EARLIER_STAGE" and . != "NOT_STARTED" and . != "NOT_ACCEPTED")]
      | unique | join(" ")'
}
named() { [[ " $(given "$1" "$2") " == *" $3 "* ]]; } # ID NODE REASON
# No attempt but the last of each task did anything to the end.
done_once() { # ID
  holds '[.tasks[] | [.attempts[] | select((.reason // "CODE_UNSPECIFIED") == "CODE_UNSPECIFIED" and .finishTime)]
    | length] | all(. == 1)' hostq command show "$1"
}

row() { printf '%-26s %-30s %-30s %7s %7s  %s\n' "$@"; }
fail() { problems+=("$*"); }

one_fault() { # NAME NUMBER
  local id='' from said='-' seen='-' cured='-' other
  problems=()
  reason='' node=web1 heals=itself also=''
  # shellcheck disable=SC2178
  domain=$1.example user=fault$2 address=203.0.113.$((100 + $2))
  # shellcheck source=/dev/null
  source "$catalogue/$1.sh"
  log=$(mktemp)
  {
    prepare || fail "prepare failed"
    soon 30 nothing_stuck || fail "something was stuck before"
    inject || fail "inject failed"
    from=$(now)
    submit || fail "submit failed"
    id=$(newest_command "$(key)")
    [[ $id ]] || fail "no command for $(key)"
    if soon 60 named "$id" "$node" "$reason"; then seen=$(since "$from"); else fail "not named"; fi
    hostq explain "$id"
    said=$(given "$id" "$node")
    for other in $said; do
      [[ " $reason $also " == *" $other "* ]] || fail "also named: $other"
    done
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
    soon 30 nothing_stuck || fail "something is stuck after"
    tidy || fail "tidy failed"
  } >"$log" 2>&1
  if ((${#problems[@]} == 0)); then
    row "$1" "$reason" "${said:--}" "$seen" "$cured" ok
  else
    row "$1" "$reason" "${said:--}" "$seen" "$cured" "FAIL: $(printf '%s; ' "${problems[@]}")"
    sed 's/^/     | /' "$log"
  fi
  rm -f "$log"
  ((${#problems[@]} == 0))
}

hostq share mount home --source 203.0.113.1:/chroot/home --at /home --wait >/dev/null ||
  { echo "the share cannot be mounted"; exit 1; }
row FAULT EXPECTED GIVEN SECONDS CURED ''
number=0
for name in "$@"; do
  number=$((number + 1))
  # In a shell of its own: what one fault defines is not there for the next.
  if (one_fault "$name" "$number"); then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done
story_end
