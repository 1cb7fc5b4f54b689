# shellcheck shell=bash disable=SC2034,SC2154
# The manager is killed with work on its way; the node is cut off meanwhile.
# Cure: Connect the node again.
reason=NODE_OFFLINE
inject() { unplug web1 && soon 30 node_is web1 OFFLINE; }
submit() { account_create && daemon storage1 manager kill && daemon storage1 manager start && soon 30 hostq node list; }
cure() { plug web1; }
