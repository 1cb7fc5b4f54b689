# shellcheck shell=bash disable=SC2034,SC2154
# The manager has another address than the one that its nodes were told.
# Cure: Give it its old address back, or join the nodes again (hostq node rejoin).
reason=MANAGER_MOVED
move_manager() { # FROM TO
  on storage1 sed -i "s/$1/$2/" "$MANAGER_CONFIG" && daemon storage1 manager restart && soon 30 hostq node list
}
prepare() { account_create --wait && on storage1 ip addr add 203.0.113.50/24 dev eth0; }
inject() { move_manager 203.0.113.1 203.0.113.50; }
submit() { hostq quota set "$domain" --size 20MiB --node web1; }
cure() { move_manager 203.0.113.50 203.0.113.1 && on storage1 ip addr del 203.0.113.50/24 dev eth0; }
