# shellcheck shell=bash disable=SC2034,SC2154
# Somebody's process is in the share that is to be unmounted.
# Cure: End the process.
reason=SHARE_BUSY
work_is_unmounting
inject() { daemon_start web1 squatter sh -c 'cd /chroot/home && exec sleep 600' && sleep 1; }
cure() { daemon_stop web1 squatter; }
