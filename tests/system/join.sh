#!/bin/bash
# A node joins a cluster that has been in use, told as a story: one line on the manager, one on the
# node; the share, an address and all accounts come to it in stages, as one command with progress,
# and at the end the balancer sends it requests. Then it leaves, drained first.
#
#   deploy/lab/run.sh tests/system/join.sh
#
# shellcheck source=tests/system/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source=deploy/lab/hostq.sh
source "$LAB_DIR/hostq.sh"

V4=203.0.113.10

answers() { # COUNT
  # shellcheck disable=SC2016
  on other1 sh -c 'for i in $(seq "$2"); do curl -sg --max-time 5 "http://$1/"; done' sh "$V4" "$1" |
    tr '\n' ' '
}
only_web1() { [[ $(answers 4) == 'web1 web1 web1 web1 ' ]]; }
in_turn() {
  local seen
  seen=$(answers 4)
  [[ $seen == 'web1 web2 web1 web2 ' || $seen == 'web2 web1 web2 web1 ' ]] || { echo "answers: $seen"; return 1; }
}
on_lo() { on "$1" ip -o addr show dev lo | grep -wF "$2"; } # HOST ADDRESS/PREFIX
has_user() { on "$1" getent passwd "$2"; } # HOST USER
command_of() { hostq command list --all --key "node/$1" --limit 1 --output json | jq -r '.commands[0].id // empty'; }
state_of() { hostq command show "$1" --output json | jq -r .state; }
is_done() { [[ $(state_of "$1") == SUCCEEDED ]]; }
parts_are() { # ID JQ
  hostq command show "$1" --output json | jq -e ".parts | $2"
}

# As a machine that was never in a cluster.
wipe() { # HOST
  daemon "$1" node stop
  # shellcheck disable=SC2016
  on "$1" sh -c 'rm -rf /var/lib/hostq/agent /var/lib/hostq/executor /run/hostq/agent /run/hostq-executor
    for user in one two three late; do userdel "$user" 2>/dev/null; done
    ip -o addr show dev lo | awk "\$4 != \"127.0.0.1/8\" && \$4 != \"::1/128\" { print \$4 }" | xargs -r -I{} ip addr del {} dev lo
    ! findmnt -t nfs4 /chroot/home >/dev/null || umount /chroot/home'
}

in_use() {
  chapter "A cluster in use, with one web server"
  hostq node remove web2 --force >/dev/null
  wipe web2
  hostq node remove storage1 --force >/dev/null
  wipe storage1
  join_node storage1 storage,balancer 203.0.113.1
  check_soon 60 "storage1 balances" node_is storage1 READY
  # shellcheck disable=SC2016
  for node in web1 web2; do
    on "$node" sh -c 'mkdir -p /tmp/www; hostname >/tmp/www/index.html'
    daemon_start "$node" httpd busybox httpd -f -p 80 -h /tmp/www
  done
  hostq share mount home --source 203.0.113.1:/chroot/home --at /home --wait >/dev/null
  run hostq balancer set --scheduler rr --services 80 --wait --timeout 30s
  local user
  for user in one two three; do
    hostq account create $user.example --user $user --address $V4 --quota 10MiB --wait >/dev/null
  done
  hostq account suspend three.example --note unpaid --wait >/dev/null
  run hostq address bind 203.0.113.77 --wait
  run hostq account list
  check "three accounts" shows three.example
  check "web1 answers" only_web1
}

joining() {
  chapter "web2 joins: one line here, one line there"
  run join_node web2 app 203.0.113.3
  check_soon 30 "the manager has made a command of its own" has_command web2
  local id
  id=$(command_of web2)
  run hostq command watch "$id" --timeout 120s
  check "it succeeds" succeeded
  check "it had parts: the share, the address, three accounts" parts_are "$id" '.succeeded == 5'
  run hostq command show "$id"
  run hostq command list --all --part-of "$id"
  check "an account is one" shows account/two.example
  check "the share is another" shows share/home
  check "web2 mounts the share" on web2 findmnt -t nfs4 /chroot/home
  check "it has the users" has_user web2 two
  check "with the same uid" same_uid two
  check "the suspended one cannot log in" suspended_on web2 three
  check "the account's address" on_lo web2 $V4/32
  check "and the other one" on_lo web2 203.0.113.77/32
  check_soon 20 "the balancer sends it requests now" in_turn
}
has_command() { [[ $(command_of "$1") ]]; }
same_uid() { [[ $(on web1 id -u "$1") == "$(on web2 id -u "$1")" ]]; }
suspended_on() { on "$1" getent passwd "$2" | grep nologin; }

leaving() {
  chapter "It leaves, drained first"
  run hostq node remove web2 --timeout 60s
  check "it is removed" succeeded
  check "web1 alone answers" only_web1
  wipe web2
}

in_the_way() {
  chapter "It comes again, and something stands in the way of one account"
  on web2 useradd --uid "$(on web1 id -u two)" --user-group --no-create-home somebody
  run join_node web2 app 203.0.113.3
  check_soon 30 "a command is made" has_command web2
  local id
  id=$(command_of web2)
  check_soon 60 "all parts but one are done" parts_are "$id" '.succeeded == 4 and .active == 1'
  run hostq explain "$id"
  check "the one is explained" shows UID_TAKEN
  check "the others are there" has_user web2 one
  check "the balancer sends it nothing yet" only_web1
  run hostq account create late.example --user late --address $V4 --quota 10MiB --wait
  check "new accounts come to it meanwhile" has_user web2 late
  on web2 userdel somebody
  run hostq command retry "$id"
  check "retried as a whole" succeeded
  check_soon 30 "now it succeeds" is_done "$id"
  check "with the last account" has_user web2 two
  check_soon 20 "and the balancer sends it requests" in_turn
}

# Found by a tester: each of these held the join up for ever.
late() {
  chapter "The executor starts late, and a quota is changed meanwhile"
  hostq node remove web2 --timeout 60s >/dev/null
  wipe web2
  run enroll_node web2 app 203.0.113.3
  daemon web2 agent start
  check_soon 30 "the executor is missed" preflight_says EXECUTOR_UNAVAILABLE
  hostq account set-quota one.example --quota 12MiB >/dev/null
  sleep 3
  daemon web2 executor start
  local id
  id=$(command_of web2)
  check_soon 60 "it goes on by itself, and succeeds" is_done "$id"
  check_soon 20 "the quota is changed everywhere" nothing_waits
  check_soon 20 "and the balancer sends it requests" in_turn
}
preflight_says() { hostq stuck --all | grep "$1"; }
nothing_waits() { hostq command list --output json | jq -e '(.commands // []) == []'; }

interrupted() {
  chapter "The manager is killed while a node is brought up"
  hostq node remove web2 --timeout 60s >/dev/null
  wipe web2
  run join_node web2 app 203.0.113.3
  check_soon 30 "a command is made" has_command web2
  local id
  id=$(command_of web2)
  daemon storage1 manager kill
  on storage1 install -d -m 755 -o hostq -g hostq /run/hostq
  daemon storage1 manager start
  check_soon 90 "it goes on, and succeeds" is_done "$id"
  check "all of it" parts_are "$id" '.succeeded == 6 and (.active // 0) == 0'
  check_soon 20 "and the balancer sends it requests" in_turn
}

given_up() {
  chapter "Bringing it up is cancelled"
  hostq node remove web2 --timeout 60s >/dev/null
  wipe web2
  on web2 useradd --uid "$(on web1 id -u two)" --user-group --no-create-home somebody
  run join_node web2 app 203.0.113.3
  check_soon 30 "a command is made" has_command web2
  local id
  id=$(command_of web2)
  check_soon 60 "all parts but one are done" parts_are "$id" '.active == 1'
  check "that it waits for its accounts is not held against it yet" fails named_in_vain
  run hostq command cancel "$id"
  check_soon 10 "cancelled, the node's want of accounts is named" named_in_vain
  run hostq stuck
  check "with what to do" shows "hostq node resync web2 --apply"
  check "the balancer sends it nothing" only_web1
  on web2 userdel somebody
  run hostq node resync web2 --apply --timeout 60s
  check "brought up after all" succeeded
  check_soon 20 "the balancer sends it requests" in_turn
  check "it is named no more" fails named_in_vain
}
named_in_vain() { hostq stuck --output json | jq -e 'any(.findings[]?; .node == "web2" and .reason == "ACCOUNTS_AWAITED")'; }

cancelled() {
  chapter "Cancelled as a whole"
  run hostq node pause web2 --note "not now"
  run hostq node resync web2 --apply --timeout 3s
  check "it waits" exits_with 6
  local id
  id=$(command_of web2)
  run hostq command cancel "$id"
  check "cancelled with its parts" parts_are "$id" '.cancelled == 6'
  run hostq node resume web2
  run hostq node resync web2
  check "nothing was missing" shows "All is as it should be."
}
exits_with() { ((status == $1)) || { echo "exit status $status"; return 1; }; }

in_use
joining
leaving
in_the_way
late
interrupted
given_up
cancelled
story_end
