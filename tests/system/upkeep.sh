#!/bin/bash
# What a node keeps, told as a story: addresses of both families, also of two accounts at once; what
# somebody takes away or changes comes back and is told; after a reboot the node has its part before the manager
# is there.
#
#   deploy/lab/run.sh tests/system/upkeep.sh
#
# shellcheck source=tests/system/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source=deploy/lab/hostq.sh
source "$LAB_DIR/hostq.sh"

on_lo() { on "$1" sh -c "ip -o addr show dev lo | grep -wF $2"; } # HOST ADDRESS/BITS
mounted() { on "$1" findmnt --types nfs4 /chroot/home; } # HOST
event_is() { # TYPE NODE KEY
  hostq events --since 0 --node "$2" --output json |
    jq -se "any(.[]; .type == \"$1\" and (.message | startswith(\"$3: \")))" >/dev/null
}
node_finding_is() { holds "any(.findings[]?; .node == \"$1\" and .reason == \"$2\")" hostq stuck; } # NODE REASON

two_families() {
  chapter "Addresses of both families, and one that two accounts share"
  hostq share mount home --source 203.0.113.1:/chroot/home --at /home --wait >/dev/null
  run hostq account create six.example --user six --address 2001:db8::10 --quota 10MiB --wait
  check "an account with an IPv6 address" succeeded
  run hostq account create four.example --user four --address 203.0.113.10 --quota 10MiB --wait
  check "an account with an IPv4 address" succeeded
  run hostq account add-address six.example 203.0.113.10 --wait
  check "the first has that address too" succeeded
  local node
  for node in web1 web2; do
    check "$node has the IPv6 address on lo, alone" on_lo "$node" 2001:db8::10/128
    check "$node has the IPv4 address on lo, alone" on_lo "$node" 203.0.113.10/32
  done
  run hostq account delete four.example --yes --wait
  check "the second account is deleted" succeeded
  check "its address stays: the first has it" on_lo web1 203.0.113.10/32
}

taken_away() {
  chapter "Somebody takes an address and the share away"
  run on web1 ip addr del 2001:db8::10/128 dev lo
  check_soon 15 "the IPv6 address is back" on_lo web1 2001:db8::10/128
  run on web1 ip addr del 203.0.113.10/32 dev lo
  check_soon 15 "the IPv4 address is back" on_lo web1 203.0.113.10/32
  run on web1 umount /chroot/home
  check_soon 20 "the share is back" mounted web1
  local key
  for key in address/2001:db8::10 address/203.0.113.10 share/home; do
    check_soon 10 "$key: that it was gone is in the history" event_is NODE_DRIFTED web1 "$key"
    check_soon 10 "$key: that it was put back too" event_is NODE_REPAIRED web1 "$key"
  done
  run hostq events --since 0 --node web1
}

not_to_be_mended() {
  chapter "What cannot be put back is told until it is"
  run on other1 ip addr add 203.0.113.10/24 dev eth0
  run on web1 ip addr del 203.0.113.10/32 dev lo
  check_soon 20 "another host has taken the address: named" node_finding_is web1 ADDRESS_OWNED_BY_OTHER_HOST
  run hostq stuck
  run on other1 ip addr del 203.0.113.10/24 dev eth0
  check_soon 60 "the other host gives it back: on lo again" on_lo web1 203.0.113.10/32
  check_soon 10 "nothing is stuck" fails node_finding_is web1 ADDRESS_OWNED_BY_OTHER_HOST
}

worse_by_itself() {
  chapter "A node that works would not pass its preflight any more"
  on web1 sed -i '1i preflight_interval = "10s"' /etc/hostq/agent.toml
  daemon web1 node restart
  check_soon 30 "web1 is READY, and looks every 10 s" node_is web1 READY
  run on web1 sysctl -w net.ipv4.conf.all.arp_ignore=0
  check_soon 30 "that it would answer for the balancer's addresses is named" node_finding_is web1 ARP_NOT_SILENCED
  run hostq stuck
  check "with the interface to mend" shows "on eth0 arp_ignore is 0"
  check "it goes on working" node_is web1 READY
  check "that it began is in the history" event_is NODE_DRIFTED web1 check/arp
  run on web1 sysctl -w net.ipv4.conf.all.arp_ignore=1
  check_soon 30 "mended, it is named no more" fails node_finding_is web1 ARP_NOT_SILENCED
}

entry() { on "$1" getent passwd "$2"; } # HOST USER
limit_is() { prints " $2 " on storage1 quota -vwu "$1"; } # USER KIBIBYTES

by_hand() {
  chapter "Somebody changes accounts by hand"
  local right
  right=$(entry web1 six)
  run on web1 usermod -s /bin/sh six
  check_soon 20 "its shell is as it was" prints "$right" entry web1 six
  run on web1 userdel six
  check_soon 20 "the user is back, with the same uid" prints "$right" entry web1 six
  run on storage1 setquota -u six 0 999 0 0 /chroot/home
  check_soon 60 "its quota is as it was" limit_is six 10240
  local node
  for node in web1 storage1; do
    check_soon 10 "that it was another is in the history of $node" event_is NODE_DRIFTED "$node" account/six.example
    check_soon 10 "that it was put right too" event_is NODE_REPAIRED "$node" account/six.example
  done
  run on web1 usermod -u 25000 six
  check_soon 20 "another uid is for a person to mend: named" node_finding_is web1 USER_NAME_TAKEN
  run hostq stuck
  run on web1 usermod -u "$(on web2 id -u six)" six
  check_soon 60 "mended, it is named no more" fails node_finding_is web1 USER_NAME_TAKEN
}

meant_so() {
  chapter "What was meant so is left alone"
  run hostq account suspend six.example --wait
  local closed
  closed=$(entry web1 six)
  run on web1 usermod -s /bin/bash six
  check_soon 20 "a suspended account stays suspended" prints "$closed" entry web1 six
  run on web1 userdel six
  check_soon 20 "made anew, it is suspended too" prints "$closed" entry web1 six
  run hostq account unsuspend six.example --wait
  check "unsuspended" succeeded
  run hostq quota set six.example --size 20MiB --node web1 --wait
  check "a quota is set from a web server" succeeded
  on storage1 sh -ec 'printf "[policy]\nrepair = false\n" >>/etc/hostq/agent.toml'
  daemon storage1 node restart
  sleep 60 # a round and more
  check "the storage node does not take it back" limit_is six 20480
  check "nor for a mistake" fails node_finding_is storage1 QUOTA_MISMATCH
  run on storage1 setquota -u six 0 999 0 0 /chroot/home
  check_soon 60 "what nobody meant is named where nothing is repaired" node_finding_is storage1 QUOTA_MISMATCH
  run hostq stuck
  run hostq account resync six.example --apply
  check_soon 60 "resync puts it right" limit_is six 20480
  check_soon 60 "and it is named no more" fails node_finding_is storage1 QUOTA_MISMATCH
}

reboot() {
  chapter "A reboot, and the manager is away"
  say "What a reboot takes: the agent, the mounts, the addresses, and what lies in /run."
  daemon web1 node kill
  daemon storage1 manager stop
  on web1 sh -c 'umount /chroot/home; ip addr flush dev lo scope host; ip addr add 127.0.0.1/8 dev lo
    ip -6 addr del 2001:db8::10/128 dev lo; rm -rf /run/hostq-executor'
  run on web1 ip -brief addr show dev lo
  check "nothing is left" fails on_lo web1 203.0.113.10/32
  daemon web1 node start
  check_soon 30 "the share is mounted" mounted web1
  check_soon 30 "the IPv4 address is on lo" on_lo web1 203.0.113.10/32
  check_soon 30 "the IPv6 address is on lo" on_lo web1 2001:db8::10/128
  daemon storage1 manager start
  check_soon 60 "the node is READY when the manager is back" node_is web1 READY
}

taken_off() {
  chapter "What hostq takes off stays off"
  run hostq account remove-address six.example 203.0.113.10 --wait
  check "an address is removed" succeeded
  run hostq account delete six.example --yes --wait
  check "the account is deleted" succeeded
  run hostq share unmount home --node web1 --wait
  check "the share is unmounted" succeeded
  sleep 12 # two looks and more
  check "nor is the user" fails entry web1 six
  check "the IPv4 address is not put back" fails on_lo web1 203.0.113.10/32
  check "the IPv6 address is not put back" fails on_lo web1 2001:db8::10/128
  check "the share is not mounted again" fails mounted web1
}

removed() {
  chapter "A node is removed, and cleaned with the commands that this prints"
  hostq share mount home --source 203.0.113.1:/chroot/home --at /home --wait >/dev/null
  hostq account create last.example --user last --address 203.0.113.11 --quota 10MiB --wait >/dev/null
  hostq account add-address last.example 2001:db8::11 --wait >/dev/null
  check "web2 has both addresses" on_lo web2 '-e 203.0.113.11/32 -e 2001:db8::11/128'
  run hostq node remove web2
  check "it is removed" succeeded
  daemon web2 agent stop # the lab has no systemctl
  on web2 sh -ec "$(sed -n 's/^  //p' "$capture" | grep -v systemctl)"
  run on web2 ip -brief addr show dev lo
  check "its addresses are gone" fails on_lo web2 '-e 203.0.113.11/32 -e 2001:db8::11/128'
  check "its share is unmounted" fails mounted web2
}

two_families
taken_away
not_to_be_mended
worse_by_itself
by_hand
meant_so
reboot
taken_off
removed
story_end
