# shellcheck shell=bash disable=SC2034,SC2154
# The file server exports something else, and the share no more.
reason=SHARE_EXPORT_MISSING
prepare() { hostq share unmount home --node web1 --wait; }
inject() { on storage1 sh -c 'cp /etc/exports /run/exports.kept
  mkdir -p /run/other && echo "/run/other *(rw,no_subtree_check,fsid=7)" >/etc/exports && exportfs -ra && exportfs -f'; }
submit() { hostq share mount home --source 203.0.113.1:/chroot/home --at /home --node web1; }
key() { echo share/home; }
cure() { on storage1 sh -c 'cp /run/exports.kept /etc/exports; exportfs -ra'; }
tidy() { :; }
