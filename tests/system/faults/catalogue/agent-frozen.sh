# shellcheck shell=bash disable=SC2034,SC2154
# The agent is there, keeps its connection, and says nothing (SIGSTOP).
# Cure: Let the agent go on, or restart it.
reason=NODE_OFFLINE
also=NOT_ACCEPTED
inject() { daemon web1 agent pause; }
cure() { daemon web1 agent continue; }
