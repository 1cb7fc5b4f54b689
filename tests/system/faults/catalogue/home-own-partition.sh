# shellcheck shell=bash disable=SC2034,SC2154
# /home of a node is a file system of its own.
reason=HOME_LAYOUT heals=retry
prepare() { hostq share unmount home --node web1 --wait; }
inject() { on web1 sh -c 'rm /home && mkdir /home && mount -t tmpfs partition /home'; }
submit() { hostq share mount home --source 203.0.113.1:/chroot/home --at /home --node web1; }
key() { echo share/home; }
cure() { on web1 sh -c 'umount /home && rmdir /home && ln -s /chroot/home /home'; }
tidy() { :; }
