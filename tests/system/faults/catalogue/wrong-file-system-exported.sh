# shellcheck shell=bash disable=SC2034,SC2154
# The file server exports another directory by the name of the share (its root of NFSv4 was moved).
# Cure: Export the right one; unmount the wrong one and mount the share again; retry.
reason=HOME_MISSING heals=retry
prepare() { hostq share unmount home --node web1 --wait; }
inject() {
  on storage1 mkdir -p /run/other/chroot/home && change_exports '1i/run/other *(rw\,no_root_squash\,no_subtree_check\,fsid=0)' &&
    mount_share --wait
}
cure() { hostq share unmount home --node web1 --wait; restore_exports; mount_share --wait; }
