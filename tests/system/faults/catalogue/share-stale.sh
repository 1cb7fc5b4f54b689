# shellcheck shell=bash disable=SC2034,SC2154
# The exported directory was removed and made again: the mount is stale.
# Cure: Unmount the stale mount; retry.
reason=SHARE_STALE heals=retry
share() { hostq share mount stale --source 203.0.113.1:/run/stale --at /srv/stale --node web1 "$@"; }
prepare() {
  agent_policy 'mount_points = ["/home", "/chroot/home", "/srv/stale"]' &&
    on web1 sh -c 'mount -t tmpfs srv /srv && mkdir /srv/stale' &&
    on storage1 sh -c 'cp /etc/exports /run/exports.kept; mkdir /run/stale
      echo "/run/stale *(rw,no_root_squash,no_subtree_check,fsid=9)" >>/etc/exports; exportfs -ra' && share --wait
}
inject() { on storage1 sh -c 'exportfs -u "*:/run/stale"; rmdir /run/stale && mkdir /run/stale && exportfs -ra'; }
submit() { share; }
key() { echo share/stale; }
cure() { on web1 umount -l /srv/stale; }
tidy() {
  hostq share unmount stale --wait --timeout 60s
  on web1 umount /srv; agent_policy ''; restore_exports
}
