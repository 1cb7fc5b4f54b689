# shellcheck shell=bash disable=SC2034,SC2154
# Somebody has unmounted the share on a node.
# Cure: Mount the share.
reason=SHARE_NOT_MOUNTED
inject() { on web1 umount /chroot/home; }
cure() { mount_share --wait; }
