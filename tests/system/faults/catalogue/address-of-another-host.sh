# shellcheck shell=bash disable=SC2034,SC2154
# Another host on the network owns the account's address.
# Cure: Take it off the other host; retry.
reason=ADDRESS_OWNED_BY_OTHER_HOST heals=retry
inject() { on other1 ip addr add "$address/24" dev eth0; }
cure() { on other1 ip addr del "$address/24" dev eth0; }
