# shellcheck shell=bash disable=SC2034,SC2154
# The NFS server has stopped; the share is to be mounted.
reason=SHARE_SERVER_UNREACHABLE
prepare() { hostq share unmount home --node web1 --wait; }
inject() { nfsd stop; }
submit() { hostq share mount home --source 203.0.113.1:/chroot/home --at /home --node web1; }
key() { echo share/home; }
cure() { nfsd start; }
tidy() { :; }
