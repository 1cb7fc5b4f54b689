#!/bin/bash
# The main job, told as a story: an account is created on a cluster with real NFS, quotas and
# addresses; what makes other queues get stuck is provoked, explained and cured.
#
#   deploy/lab/run.sh tests/system/main-job.sh
#
# shellcheck source=tests/system/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

the_cluster() {
  chapter "The cluster: a file server, which is also the manager, and two web servers"
  run hostq node list
  check "three nodes, all READY" \
    holds '[.nodes[].state] | length == 3 and all(. == "READY")' hostq node list
  run hostq node show web1
  local node
  for node in storage1 web1 web2; do
    check "$node passed its preflight: no check failed" \
      holds '(.checks | length > 0) and all(.checks[]; .status != "FAILED")' hostq node show "$node"
  done
}

the_share() {
  chapter "The share: every web server mounts /home from the file server"
  run hostq share mount home --source 203.0.113.1:/chroot/home --at /home --wait
  check "the command succeeded" succeeded
  local node
  for node in web1 web2; do
    run on "$node" findmnt --types nfs4 --output TARGET,SOURCE,FSTYPE
    check "$node has it where /home points to" shows "/chroot/home 203.0.113.1:/chroot/home nfs4"
  done
}

an_account() {
  chapter "An account: user, home, quota and address, on every node"
  run hostq account create example.com --user exampleco --address 203.0.113.10 --quota 10GiB --wait
  check "the command succeeded" succeeded
  say "So says hostq. The nodes' own tools say:"
  run on storage1 repquota -u /chroot/home
  check "the file server limits exampleco to 10 GiB" shows 10485760
  local node
  for node in web1 web2; do
    run on "$node" getent passwd exampleco
    check "$node knows the user" shows "exampleco:x:$(on storage1 id -u exampleco):"
    run on "$node" ip -brief addr show lo
    check "$node has the address on lo" shows 203.0.113.10/32
    run on "$node" quota -v -w -u exampleco
    check "$node sees the quota through NFS" shows 10485760
  done
  check "nobody answers ARP for the address" prints "Received 0 response" arp_answers 203.0.113.10
}

# The status of arping says whether somebody answered, which is not the question.
arp_answers() { on storage1 arping -c 1 -w 1 -I eth0 "$1" || true; } # ADDRESS

the_limit() {
  chapter "The limit is real: a write over it is refused, through NFS"
  run hostq account set-quota example.com --quota 2MiB --wait
  check "the command succeeded" succeeded
  run on -u exampleco web1 dd if=/dev/zero of=/home/exampleco/big bs=1M count=4 conv=fsync
  check "4 MiB do not fit" refused
  check "because of the quota" shows "quota exceeded"
  run hostq account set-quota example.com --quota 10GiB --wait
  run on -u exampleco web1 dd if=/dev/zero of=/home/exampleco/big bs=1M count=4 conv=fsync
  check "with 10 GiB again they do" succeeded
}

quota_not_permitted() {
  chapter "Stuck, the first: the file server does not permit quotas to be set over NFS"
  say "On storage1, rpc.rquotad is restarted without its option -S. A node is to set a quota:"
  rquotad deny
  run hostq quota set example.com --size 20GiB --node web1
  check "it is accepted" succeeded
  local id
  id=$(newest_command account/example.com)
  check_soon 30 "it does not succeed: QUOTA_SET_NOT_PERMITTED" \
    finding_is "$id" web1 '.cause == "QUOTA_SET_NOT_PERMITTED" and .stuck'
  run hostq stuck
  check "hostq stuck lists it" shows "$id"
  run hostq explain "$id"
  check "hostq explain names the reason" shows QUOTA_SET_NOT_PERMITTED
  check "the remedy, too: rpc.rquotad -S" shows "-S"
  check "nothing was changed" prints 10485760 on storage1 repquota -u /chroot/home
  say "The cause is cured, and the command completes by itself when the manager has looked at the node:"
  rquotad allow
  check_soon 60 "it succeeded" command_is "$id" SUCCEEDED
  run on storage1 repquota -u /chroot/home
  check "the file server has the new limit" shows 20971520
  check "nothing is stuck" holds '(.findings // []) | length == 0' hostq stuck
}

address_taken() {
  chapter "Stuck, the second: another host on the network owns the account's address"
  local id mac node
  mac=$(on other1 cat /sys/class/net/eth0/address)
  on other1 ip addr add 203.0.113.20/24 dev eth0
  run hostq account create second.example --user secondco --address 203.0.113.20 --quota 1GiB
  check "it is accepted" succeeded
  id=$(newest_command account/second.example)
  for node in web1 web2; do
    check_soon 60 "$node refuses the address: ADDRESS_OWNED_BY_OTHER_HOST" \
      finding_is "$id" "$node" '.cause == "ADDRESS_OWNED_BY_OTHER_HOST" and .stuck'
  done
  run hostq stuck
  run hostq explain "$id"
  check "hostq explain names the reason" shows ADDRESS_OWNED_BY_OTHER_HOST
  check "and who it is: $mac" shows "$mac"
  check "the address is not on lo of web1" fails prints 203.0.113.20 on web1 ip addr show lo
  say "The other host gives the address up:"
  on other1 ip addr del 203.0.113.20/24 dev eth0
  run hostq command retry "$id"
  check_soon 60 "it succeeded" command_is "$id" SUCCEEDED
  address_is_bound 203.0.113.20
}

address_is_bound() { # ADDRESS
  local node
  for node in web1 web2; do
    run on "$node" ip -brief addr show lo
    check "$node has the address on lo" shows "$1/32"
  done
}

address_on_eth0() {
  chapter "Stuck, the third: the address is on web2, but on its network interface instead of lo"
  local id
  on web2 ip addr add 203.0.113.30/32 dev eth0
  run hostq account create third.example --user thirdco --address 203.0.113.30 --quota 1GiB
  id=$(newest_command account/third.example)
  check_soon 60 "web2 says so: ADDRESS_ON_OTHER_INTERFACE" \
    finding_is "$id" web2 '.cause == "ADDRESS_ON_OTHER_INTERFACE" and .stuck'
  check_soon 60 "web1 sees that another host answers: ADDRESS_OWNED_BY_OTHER_HOST" \
    finding_is "$id" web1 '.cause == "ADDRESS_OWNED_BY_OTHER_HOST" and .stuck'
  run hostq explain "$id"
  check "hostq explain names the interface" shows eth0
  on web2 ip addr del 203.0.113.30/32 dev eth0
  run hostq command retry "$id"
  check_soon 60 "it succeeded" command_is "$id" SUCCEEDED
  address_is_bound 203.0.113.30
}

node_cut_off() {
  chapter "A node is cut off: its own commands wait, all others go on"
  local id
  unplug web1
  check_soon 90 "the manager knows that web1 is OFFLINE" node_is web1 OFFLINE
  run hostq node list
  run hostq account create fourth.example --user fourthco --address 203.0.113.40 --quota 1GiB
  check "it is accepted" succeeded
  id=$(newest_command account/fourth.example)
  check_soon 60 "storage1 has done its part" task_is "$id" storage1 '.outcome == "SUCCEEDED"'
  check_soon 60 "so has web2" task_is "$id" web2 '.outcome == "SUCCEEDED"'
  run hostq explain "$id"
  check "web1's task waits and says why: NODE_OFFLINE" finding_is "$id" web1 '.reason == "NODE_OFFLINE"'
  run hostq address bind 203.0.113.50 --node web2 --wait
  check "a command for web2 goes on" succeeded
  say "web1 is plugged in again:"
  plug web1
  check_soon 90 "its task is done" command_is "$id" SUCCEEDED
  check "once: it took one attempt" task_is "$id" web1 '.attempt == 1 and (.attempts | length) == 1'
  run hostq command show "$id"
  run on web1 getent passwd fourthco
  check "web1 has the user" succeeded
  run on web1 ip -brief addr show lo
  check "and the address" shows 203.0.113.40/32
  check "nothing is stuck" holds '(.findings // []) | length == 0' hostq stuck
}

the_cluster
the_share
an_account
the_limit
quota_not_permitted
address_taken
address_on_eth0
node_cut_off
story_end
