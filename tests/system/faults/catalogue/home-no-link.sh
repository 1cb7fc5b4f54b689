# shellcheck shell=bash disable=SC2034,SC2154
# /home of a node is a directory, not a link to /chroot/home.
# Cure: Make /home a link to /chroot/home; retry.
reason=HOME_LAYOUT heals=retry
work_is_mounting
inject() { on web1 sh -c 'umount /home 2>/dev/null; ls -ld /home; rm /home && mkdir /home'; }
cure() { on web1 sh -c 'rmdir /home && ln -s /chroot/home /home'; }
