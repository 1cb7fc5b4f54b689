#!/bin/bash
# The balancer, told as a story: requests to an account's address are answered by the web servers in
# turn, for both families; weights, drain, a node that leaves and comes; what others have set up stays;
# after a reboot the table is back before the manager is there.
#
#   deploy/lab/run.sh tests/system/balancer.sh
#
# shellcheck source=tests/system/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source=deploy/lab/hostq.sh
source "$LAB_DIR/hostq.sh"

V4=203.0.113.10 V6=2001:db8:1::10

# The answers to COUNT requests, one after the other, in one line.
answers() { # ADDRESS COUNT
  # shellcheck disable=SC2016
  on other1 sh -c 'for i in $(seq "$2"); do curl -sg --max-time 5 "http://$1/"; done' sh "$1" "$2" |
    tr '\n' ' '
}
answered_by() { # ADDRESS COUNT ANSWERS
  local seen
  seen=$(answers "$1" "$2")
  [[ $seen == "$3 " ]] || { echo "answers: $seen"; return 1; }
}
in_turn() { # ADDRESS
  local seen
  seen=$(answers "$1" 6)
  [[ $seen == 'web1 web2 web1 web2 web1 web2 ' || $seen == 'web2 web1 web2 web1 web2 web1 ' ]] ||
    { echo "answers: $seen"; return 1; }
}
# COUNT of the answers to 8 requests are NODE's.
share_is() { # ADDRESS NODE COUNT
  local seen
  seen=$(answers "$1" 8)
  (($(grep -o "$2" <<<"$seen" | wc -l) == $3)) || { echo "answers: $seen"; return 1; }
}
on_uplink() { on storage1 sh -c "ip -o addr show dev eth0 | grep -wF $1"; }
services() { on storage1 cat /proc/net/ip_vs; }
has_service() { services | grep -F "$1"; } # ADDRESS:PORT as the kernel writes it
event_is() { # TYPE NODE KEY
  hostq events --since 0 --node "$2" --output json |
    jq -se "any(.[]; .type == \"$1\" and (.message | startswith(\"$3: \")))" >/dev/null
}

# What ipvsadm -A and -C do, by the kernel's older interface: somebody's own virtual service; all gone.
# shellcheck disable=SC2016
add_service() { # ADDRESS PORT
  on storage1 perl -e 'socket(my $s, 2, 3, 255) or die $!;
    setsockopt($s, 0, 1154, pack("S x2 a4 n x2 L a16 L L N", 6, pack("C4", split(/\./, $ARGV[0])),
      $ARGV[1], 0, "rr", 0, 0, 0xffffffff)) or die "$!\n"' "$@"
}
# shellcheck disable=SC2016
clear_services() {
  on storage1 perl -e 'socket(my $s, 2, 3, 255) or die $!; setsockopt($s, 0, 1157, "") or die "$!\n"'
}

rejoin() { # HOST ROLES ADDRESS SECOND-ADDRESS
  hostq node remove "$1" --force >/dev/null
  daemon "$1" agent stop
  on "$1" sh -c 'rm -rf /var/lib/hostq/agent /run/hostq/agent'
  join_node "$1" "$2" "$3" --second-address "$4"
}

joining() {
  chapter "A node with the role balancer joins"
  local n=1 node
  for node in storage1 web1 web2; do
    on "$node" ip addr add "2001:db8:1::$n/64" dev eth0 nodad
    n=$((n + 1))
  done
  on other1 ip addr add 2001:db8:1::99/64 dev eth0 nodad
  for node in web1 web2; do
    # shellcheck disable=SC2016
    on "$node" sh -c 'mkdir -p /tmp/www; hostname >/tmp/www/index.html'
    daemon_start "$node" httpd busybox httpd -f -p 80 -h /tmp/www
  done
  rejoin storage1 storage,balancer 203.0.113.1 2001:db8:1::1
  rejoin web1 app 203.0.113.2 2001:db8:1::2
  rejoin web2 app 203.0.113.3 2001:db8:1::3
  check_soon 90 "all are READY" all_ready
  run hostq node add web3 --role balancer --address 203.0.113.4
  check "there is no second balancer" refused
  check "and it is said why" shows BALANCER_EXISTS
  run hostq node show storage1
  check "its kernel is checked" shows kernel-ipvs
  hostq share mount home --source 203.0.113.1:/chroot/home --at /home --wait >/dev/null
}

two_families() {
  chapter "Requests to an account's address are answered in turn"
  run hostq balancer set --scheduler rr --services 80,443 --wait
  check "the balancer is told how" succeeded
  run hostq balancer set --scheduler best
  check "no such scheduler: refused" refused
  check "and the list of those there are" shows lblc
  run hostq account create shop.example --user shop --address $V4 --quota 10MiB --wait
  check "an account is created" succeeded
  check "the balancer has its address" on_uplink $V4/32
  run services
  check "web1 and web2 answer in turn" in_turn $V4
  run hostq account add-address shop.example $V6 --wait
  check "the account gets an IPv6 address" succeeded
  check "web1 and web2 answer in turn" in_turn "[$V6]"
  run hostq balancer show
  check "it is shown" shows "$V6, $V4"
}

weights() {
  chapter "Weights, and a node that is drained"
  hostq balancer set --scheduler wrr --wait >/dev/null
  run hostq balancer weight web1 3 --wait
  check "web1 gets three of four" share_is $V4 web1 6
  hostq balancer weight web1 1 --wait >/dev/null
  hostq balancer set --scheduler rr --wait >/dev/null
  run hostq node drain web1
  check "web1 is drained" succeeded
  check "only web2 answers" answered_by $V4 4 "web2 web2 web2 web2"
  check "so with IPv6" answered_by "[$V6]" 4 "web2 web2 web2 web2"
  run hostq node resume web1
  check_soon 20 "both answer again" in_turn $V4
  run hostq balancer set --persistence 300 --wait
  check "a client comes to the same node again" share_is $V4 "$(answers $V4 1)" 8
  hostq balancer set --persistence 0 --wait >/dev/null
}

tunnel() {
  chapter "Through a tunnel"
  modprobe ipip
  local node
  for node in web1 web2; do
    on "$node" sh -c 'ip link set tunl0 up
      sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.tunl0.rp_filter=0'
  done
  run hostq balancer set --forwarding tunnel --wait
  check "the services are there" has_service Tunnel
  check "web1 and web2 answer in turn" in_turn $V4
  hostq balancer set --forwarding direct --wait >/dev/null
  check "and directly again" in_turn $V4
}

balancer_answers() {
  chapter "The balancer answers for the address, and nodes know it"
  run on web1 ip addr del $V4/32 dev lo
  check_soon 15 "web1 takes its address again" on web1 sh -c "ip -o addr show dev lo | grep -wF $V4/32"
  check "both answer" in_turn $V4
}

taken_away() {
  chapter "What others have set up stays; what they take away comes back"
  run clear_services
  check "nothing is left" fails has_service TCP
  check_soon 15 "the services are back" in_turn $V4
  check_soon 10 "that they were gone is in the history" event_is NODE_DRIFTED storage1 balancer/services
  run add_service 203.0.113.77 8080
  run on storage1 ip addr del $V4/32 dev eth0
  check_soon 15 "the address is back" on_uplink $V4/32
  check_soon 10 "that it was put back too" event_is NODE_REPAIRED storage1 balancer/services
  hostq balancer set --wait >/dev/null
  check "a service that somebody else made is left alone" has_service CB00714D:1F90
}

reboot() {
  chapter "A reboot of the balancer, and the manager is away"
  daemon storage1 agent kill
  daemon storage1 manager stop
  run clear_services
  on storage1 sh -c "ip addr del $V4/32 dev eth0; ip -6 addr del $V6/128 dev eth0; rm -rf /run/hostq/agent"
  check "nothing is left" fails on_uplink $V4/32
  daemon storage1 agent start
  check_soon 30 "the services are back" in_turn $V4
  check_soon 30 "so with IPv6" in_turn "[$V6]"
  on storage1 install -d -m 755 -o hostq -g hostq /run/hostq
  daemon storage1 manager start
  check_soon 60 "the node is READY when the manager is back" node_is storage1 READY
}

leaving_and_coming() {
  chapter "A node leaves, and comes again"
  run hostq node remove web2 --force
  check_soon 20 "the balancer does not send it anything any more" fails has_service CB007103:
  check "only web1 answers" answered_by $V4 3 "web1 web1 web1"
  rejoin web2 app 203.0.113.3 2001:db8:1::3
  check_soon 60 "it joins again" node_is web2 READY
  check_soon 30 "the balancer sends it requests when it has the accounts" in_turn $V4
  check_soon 10 "so with IPv6" in_turn "[$V6]"
}

going() {
  chapter "The account goes, and with it its addresses"
  run hostq account remove-address shop.example $V6 --wait
  check "the IPv6 address is removed" succeeded
  check "and is not on the balancer" fails on_uplink $V6/128
  run hostq account delete shop.example --yes --wait
  check "the account is deleted" succeeded
  check "its address is not on the balancer" fails on_uplink $V4/32
  check "nor its services" fails has_service CB00710A
  sleep 12 # two looks and more
  check "they stay away" fails has_service CB00710A
}

joining
two_families
weights
tunnel
balancer_answers
taken_away
reboot
leaving_and_coming
going
story_end
