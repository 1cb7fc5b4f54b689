# shellcheck shell=bash disable=SC2034,SC2154
# The executor runs in a container without CAP_SYS_ADMIN: it may not mount.
# Cure: Permit the capability, restart the executor.
reason=PERMISSION_DENIED
work_is_mounting
inject() { executor_restart web1 setpriv --bounding-set -sys_admin; }
cure() { daemon web1 executor restart; }
