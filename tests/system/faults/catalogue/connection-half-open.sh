# shellcheck shell=bash disable=SC2034,SC2154
# What the node sends does not arrive; what is sent to it does.
# Cure: Mend the network, or the node's firewall.
reason=NODE_OFFLINE
inject() { firewall web1 OUTPUT -p tcp --dport 7443; }
cure() { firewall_off web1; }
