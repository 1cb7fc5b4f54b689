# shellcheck shell=bash disable=SC2034,SC2154
# What the node is sent does not arrive; what it sends does.
# Cure: Mend the network, or the node's firewall.
reason=NODE_OFFLINE
inject() { firewall web1 INPUT -p tcp --sport 7443; }
cure() { firewall_off web1; }
