#!/bin/bash
# What is so on the nodes, and what should be, told as a story: things are changed by hand, the difference
# is shown and nothing is touched, then it is put right; a node loses its state directory.
#
#   deploy/lab/run.sh tests/system/resync.sh
#
# shellcheck source=tests/system/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

limit_is() { prints "$1" on storage1 quota -v -w -u exampleco; } # KIB
on_lo() { on "$1" ip -o addr show dev lo | grep -wF "$2"; } # HOST ADDRESS/PREFIX
has_user() { on "$1" getent passwd exampleco; } # HOST

# The nodes put back by themselves what was changed by hand, or only tell.
repair_is() { # true|false
  local host
  for host in storage1 web1 web2; do
    on "$host" sh -ec "sed -i '/policy/,\$d' /etc/hostq/agent.toml; printf '[policy]\nrepair = $1\n' >>/etc/hostq/agent.toml"
    daemon "$host" node restart
    check_soon 60 "$host is READY, with policy.repair = $1" node_is "$host" READY
  done
}

# The account's answer is VERDICT, and its first line has TEXT in it.
answer_is() { holds ".verdict.state == \"$1\" and (.verdict.summary | contains(\"${2:-}\"))" hostq account show example.com; }

everywhere() {
  chapter "Is it right everywhere?"
  check_soon 60 "the account is right" answer_is RIGHT "example.com is right on all 3 nodes"
  run hostq account show example.com
  run on web1 ip addr del 203.0.113.10/32 dev lo
  check_soon 30 "the answer names the address and the node" answer_is WRONG "not right on web1: 203.0.113.10 is not on lo"
  run hostq account show example.com
  run on web1 ip addr add 203.0.113.10/32 dev lo
  check_soon 30 "put back by hand: it is right again" answer_is RIGHT
  run on storage1 setquota -u exampleco 0 1024 0 0 /chroot/home
  run hostq account check example.com
  check "another quota: the answer names it" shows "set the quota of uid 20000 to 10MiB"
  check "and what to do" shows "hostq account resync example.com --apply"
  check "the exit status tells" refused
  run hostq account resync example.com --apply
  check "put right" succeeded
  run hostq account check example.com
  check "it is right on all nodes" shows "example.com is right on all 3 nodes"
  check "and the exit status tells" succeeded
  daemon web2 node stop
  check_soon 60 "a node that is away is not known to be right" answer_is UNKNOWN web2
  daemon web2 node start
  check_soon 60 "it is back: right again" answer_is RIGHT
}

by_hand() {
  chapter "Changed by hand"
  run on web2 userdel exampleco
  run on web1 usermod --shell /bin/sh exampleco
  run on storage1 setquota -u exampleco 0 1024 0 0 /chroot/home
  run hostq account resync example.com
  check "the missing user is found" shows "add the user exampleco with uid 20000"
  check "the shell" shows "make /bin/bash the shell of exampleco"
  check "the quota" shows "set the quota of uid 20000 to 10MiB (it is 1MiB)"
  check "the exit status tells" refused
  check "nothing was changed: web2 has no such user" fails has_user web2
  check "and the limit is still that" limit_is 1024
  run hostq node resync web1
  check "web1 alone: its shell" shows "/bin/bash the shell"
  check "not the others" fails shows "add the user"
  run hostq account resync example.com --apply
  check "put right" succeeded
  check "web2 has the user" has_user web2
  check "the limit is back" limit_is 10240
  run hostq account resync example.com
  check "nothing differs any more" shows "All is as it should be."
  check "and the exit status tells" succeeded
}

conflict() {
  chapter "What no machine can decide"
  run on web2 userdel exampleco
  run on web2 useradd --uid 20000 --user-group --no-create-home somebody
  run hostq account resync example.com
  check "another user has the uid: shown" shows UID_TAKEN
  run hostq account resync example.com --apply --timeout 20s
  check "it cannot be put right" refused
  check "and where to look is told" shows "hostq explain"
  run hostq explain "$(newest_command account/example.com)"
  check "the reason is the same" shows UID_TAKEN
  run on web2 userdel somebody
  run hostq command retry "$(newest_command account/example.com)"
  check_soon 30 "without that user it is done" has_user web2
}

lost_state() {
  chapter "A node has lost its state directory"
  daemon web1 node stop
  on web1 sh -c 'rm -f /var/lib/hostq/agent/journal.db*; rm -rf /var/lib/hostq/executor /run/hostq-executor'
  on web1 ip addr del 203.0.113.10/32 dev lo
  on web1 umount /chroot/home
  daemon web1 node start
  check_soon 60 "web1 is back, and does not know what it kept" node_is web1 READY
  run hostq node resync web1 --timeout 60s
  check "the address is missing" shows "put 203.0.113.10 on lo"
  check "so is the share" shows "to be done: mount 203.0.113.1:/chroot/home"
  run hostq node resync web1 --apply
  check "put right" succeeded
  check "the share is mounted" on web1 findmnt -t nfs4 /chroot/home
  check "the address is on lo" on_lo web1 203.0.113.10/32
  run on web1 ip addr del 203.0.113.10/32 dev lo
  check_soon 15 "and kept from now on" on_lo web1 203.0.113.10/32
}

run hostq share mount home --source 203.0.113.1:/chroot/home --at /home --wait
run hostq account create example.com --user exampleco --address 203.0.113.10 --quota 10MiB --wait
check "an account" succeeded
say "The nodes would put most of it right by themselves: they are told not to."
repair_is false
everywhere
by_hand
conflict
repair_is true
lost_state
story_end
