# shellcheck shell=bash disable=SC2034,SC2154
# The agent was stopped.
# Cure: Start it.
reason=NODE_OFFLINE
inject() { daemon web1 agent stop; }
cure() { daemon web1 agent start; }
