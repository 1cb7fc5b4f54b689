# shellcheck shell=bash disable=SC2034,SC2154
# /home of a node is a directory, not a link to /chroot/home.
reason=HOME_LAYOUT heals=retry
prepare() { hostq share unmount home --node web1 --wait; }
inject() { on web1 sh -c 'umount /home 2>/dev/null; ls -ld /home; rm /home && mkdir /home'; }
submit() { hostq share mount home --source 203.0.113.1:/chroot/home --at /home --node web1; }
key() { echo share/home; }
cure() { on web1 sh -c 'rmdir /home && ln -s /chroot/home /home'; }
tidy() { :; }
