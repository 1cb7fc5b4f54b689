# shellcheck shell=bash
# Makes the lab's hosts.  Sourced by setup.sh.
#
# A host is a network, mount, UTS and process namespace with its own writable /etc, /run, /tmp,
# /var/log, /var/lib/nfs, /var/lib/hostq, /chroot, /proc and /sys; the rest of the file system is
# shared.  Its interface eth0 is on the bridge "lab", on the 203.0.113.0/24 of every example.

make_network() {
  modprobe -a bridge veth ipv6           # rpc.rquotad ends at once on a kernel without IPv6
  mkdir -p "$LAB_HOSTS" /var/lib/{nfs,hostq}
  # Files that pin mount namespaces must be on a mount that is private.
  mount --bind "$LAB_HOSTS" "$LAB_HOSTS" && mount --make-private "$LAB_HOSTS"
  ip link add lab type bridge
  ip link set lab up
}

# make_host NAME ADDRESS
make_host() {
  local dir=$LAB_HOSTS/$1 layers=/.lab/$1
  mkdir -p "$dir" "$layers"/{etc,work} "$LAB_LOGS/$1"
  touch "$dir"/{net,mnt,uts,pid}
  unshare --net="$dir/net" --mount="$dir/mnt" --uts="$dir/uts" --pid="$dir/pid" --fork \
    --propagation private \
    bash "$LAB_DIR/guest/host-init.sh" "$1" "$layers" "$LAB_LOGS/$1" </dev/null >"$dir/init.log" 2>&1 &
  # shellcheck disable=SC2016
  eventually 30 on "$1" sh -c '[ -e /run/ready ]' || { cat "$dir/init.log" >&2; return 1; }

  ip link add "to-$1" type veth peer name eth0 netns "$dir/net"
  ip link set "to-$1" master lab up
  on "$1" sh -ec "ip link set lo up; ip addr add $2/24 dev eth0; ip link set eth0 up"
}

# A web server holds customers' addresses on lo and must be silent about them.
make_arp_silent() { # HOST
  on "$1" sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
}

make_hosts() {
  make_network || return
  make_host storage1 203.0.113.1 || return
  make_host web1 203.0.113.2 && make_arp_silent web1 || return
  make_host web2 203.0.113.3 && make_arp_silent web2 || return
  make_host other1 203.0.113.99              # not in the cluster: somebody else's machine
}
