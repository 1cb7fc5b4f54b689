# shellcheck shell=bash disable=SC2034,SC2154
# The executor runs in a container without CAP_NET_ADMIN: it may not change addresses.
# Cure: Permit the capability, restart the executor.
reason=PERMISSION_DENIED
inject() { executor_restart web1 setpriv --bounding-set -net_admin; }
cure() { daemon web1 executor restart; }
