# shellcheck shell=bash disable=SC2034,SC2154
# The node's cable is out.
reason=NODE_OFFLINE
inject() { unplug web1; sleep 20; }
cure() { plug web1; }
