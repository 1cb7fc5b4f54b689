# shellcheck shell=bash disable=SC2034,SC2154
# The address is on lo with /24, which makes the whole network local.
# Cure: Take the address off lo with its prefix; retry.
address=198.51.100.10
reason=ADDRESS_WRONG_PREFIX heals=retry
inject() { on web1 ip addr add "$address/24" dev lo; }
cure() { on web1 ip addr del "$address/24" dev lo; }
