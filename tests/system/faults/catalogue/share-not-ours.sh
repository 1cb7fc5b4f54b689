# shellcheck shell=bash disable=SC2034,SC2154
# The share to be unmounted was mounted by somebody else.
# Cure: Unmount it by hand; retry.
reason=SHARE_NOT_OURS heals=retry
work_is_unmounting
prepare() { hostq share unmount home --node web1 --wait; }
inject() { on web1 mount -t nfs4 -o vers=4.2 203.0.113.1:/chroot/home /chroot/home; }
cure() { on web1 umount /chroot/home; }
