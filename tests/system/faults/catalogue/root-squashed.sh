# shellcheck shell=bash disable=SC2034,SC2154
# The export maps root to nobody.
reason=SHARE_ROOT_SQUASHED
prepare() { hostq share unmount home --node web1 --wait; }
inject() { on storage1 sh -c 'cp /etc/exports /run/exports.kept; sed -i s/no_root_squash/root_squash/ /etc/exports; exportfs -ra'; }
submit() { hostq share mount home --source 203.0.113.1:/chroot/home --at /home --node web1; }
key() { echo share/home; }
cure() { on storage1 sh -c 'cp /run/exports.kept /etc/exports; exportfs -ra'; }
tidy() { :; }
