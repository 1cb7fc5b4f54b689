# shellcheck shell=bash disable=SC2034,SC2154
# Somebody has unmounted the share on a node whose policy leaves it so.
# Cure: Mount the share; or let the agent do it (`policy.repair`).
reason=SHARE_NOT_MOUNTED
prepare() { agent_policy 'repair = false'; }
inject() { on web1 umount /chroot/home; }
cure() { mount_share --wait; }
tidy() { account_delete && agent_policy 'repair = true'; }
