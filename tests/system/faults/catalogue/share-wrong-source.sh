# shellcheck shell=bash disable=SC2034,SC2154
# Something else is mounted where the share belongs.
# Cure: Unmount the other file system; retry.
reason=SHARE_WRONG_SOURCE heals=retry
inject() { on web1 mount -t tmpfs other /chroot/home; }
cure() { on web1 umount /chroot/home; }
