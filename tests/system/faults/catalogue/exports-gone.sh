# shellcheck shell=bash disable=SC2034,SC2154
# The file server exports nothing any more.
reason=SHARE_ACCESS_DENIED
prepare() { hostq share unmount home --node web1 --wait; }
inject() { on storage1 sh -c 'cp /etc/exports /run/exports.kept; : >/etc/exports; exportfs -ra; exportfs -f'; }
submit() { hostq share mount home --source 203.0.113.1:/chroot/home --at /home --node web1; }
key() { echo share/home; }
cure() { on storage1 sh -c 'cp /run/exports.kept /etc/exports; exportfs -ra'; }
tidy() { :; }
