# shellcheck shell=bash disable=SC2034,SC2154
# The account's address is on the node's network interface instead of lo.
# Cure: Take it off the interface; retry.
reason=ADDRESS_ON_OTHER_INTERFACE heals=retry
inject() { on web1 ip addr add "$address/32" dev eth0; }
cure() { on web1 ip addr del "$address/32" dev eth0; }
