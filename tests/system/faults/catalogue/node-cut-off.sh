# shellcheck shell=bash disable=SC2034,SC2154
# The node's cable is out.
# Cure: Connect the node again.
reason=NODE_OFFLINE
inject() { unplug web1; }
cure() { plug web1; }
