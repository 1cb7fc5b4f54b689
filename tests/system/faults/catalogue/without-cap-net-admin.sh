# shellcheck shell=bash disable=SC2034,SC2154
# The agent runs in a container without CAP_NET_ADMIN: it may not change addresses.
# Cure: Permit the capability, restart the agent.
reason=PERMISSION_DENIED
inject() { agent_restart web1 setpriv --bounding-set -net_admin; }
cure() { agent_restart web1; }
