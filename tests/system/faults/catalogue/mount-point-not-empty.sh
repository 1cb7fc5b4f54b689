# shellcheck shell=bash disable=SC2034,SC2154
# There are files where the share is to be mounted.
# Cure: Move the files away; retry.
reason=MOUNT_POINT_NOT_EMPTY heals=retry
work_is_mounting
inject() { on web1 touch /chroot/home/forgotten; }
cure() { on web1 rm /chroot/home/forgotten; }
