# shellcheck shell=bash disable=SC2034,SC2154
# Somebody's process is in the share that is to be unmounted.
reason=SHARE_BUSY
inject() { daemon_start web1 squatter sh -c 'cd /chroot/home && exec sleep 600' && sleep 1; }
submit() { hostq share unmount home --node web1; }
key() { echo share/home; }
cure() { daemon_stop web1 squatter; }
tidy() { hostq share mount home --source 203.0.113.1:/chroot/home --at /home --node web1 --wait; }
