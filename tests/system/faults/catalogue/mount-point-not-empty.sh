# shellcheck shell=bash disable=SC2034,SC2154
# There are files where the share is to be mounted.
reason=MOUNT_POINT_NOT_EMPTY heals=retry
prepare() { hostq share unmount home --node web1 --wait; }
inject() { on web1 touch /chroot/home/forgotten; }
submit() { hostq share mount home --source 203.0.113.1:/chroot/home --at /home --node web1; }
key() { echo share/home; }
cure() { on web1 rm /chroot/home/forgotten; }
tidy() { :; }
