# shellcheck shell=bash disable=SC2034,SC2154
# The agent runs in a container without CAP_SYS_ADMIN: it may not mount.
# Cure: Permit the capability, restart the agent.
reason=PERMISSION_DENIED
work_is_mounting
inject() { agent_restart web1 setpriv --bounding-set -sys_admin; }
cure() { agent_restart web1; }
