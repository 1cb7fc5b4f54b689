# shellcheck shell=bash disable=SC2034,SC2154
# /home of a node is a file system of its own.
# Cure: Unmount it and make /home a link to /chroot/home; retry.
reason=HOME_LAYOUT heals=retry
work_is_mounting
inject() { on web1 sh -c 'rm /home && mkdir /home && mount -t tmpfs partition /home'; }
cure() { on web1 sh -c 'umount /home && rmdir /home && ln -s /chroot/home /home'; }
