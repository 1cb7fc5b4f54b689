# shellcheck shell=bash disable=SC2034,SC2154
# An administrator has paused the node.
# Cure: Resume the node.
reason=NODE_PAUSED
inject() { hostq node pause web1 --note fault; }
cure() { hostq node resume web1; }
