# shellcheck shell=bash disable=SC2034,SC2154
# The node was rebooted, and the manager is away when it is back.
# Cure: Start the agent: the share and the addresses come back without the manager.
reason=NODE_OFFLINE
prepare() { account_create --wait; }
inject() {
  daemon web1 node kill && on web1 umount /chroot/home && on web1 ip addr del "$address/32" dev lo
}
submit() { hostq account set-quota "$domain" --quota 20MiB; }
cure() {
  daemon storage1 manager stop && daemon web1 node start &&
    soon 30 on web1 findmnt -t nfs4 /chroot/home &&
    soon 30 on web1 sh -c "ip -o addr show dev lo | grep -wF $address/32" &&
    daemon storage1 manager start
}
verify() { soon 30 repairs_are_told; }
repairs_are_told() { # that of the share and that of the address
  holds "[.[] | select(.type == \"NODE_REPAIRED\" and .node == \"web1\") | .message | split(\":\")[0]]
    | contains([\"address/$address\", \"share/home\"])" events
}
events() { hostq events --since 0 "$@" | jq -s .; }
