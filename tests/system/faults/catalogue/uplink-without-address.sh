# shellcheck shell=bash disable=SC2034,SC2154
# The node's uplink has no address.
# Cure: Give it its address back.
reason=NODE_OFFLINE
inject() { on web1 ip addr del 203.0.113.2/24 dev eth0; }
cure() { on web1 ip addr add 203.0.113.2/24 dev eth0; }
