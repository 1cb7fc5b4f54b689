# shellcheck shell=bash disable=SC2034,SC2154
# The agent was killed.
# Cure: Start it.
reason=NODE_OFFLINE
inject() { daemon web1 agent kill; }
cure() { daemon web1 agent start; }
