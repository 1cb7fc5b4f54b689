# shellcheck shell=bash disable=SC2034,SC2154
# The node's kernel has no NFS, and no module of it.
# Cure: modprobe nfs; in a container, permit NFS there.
reason=KERNEL_WITHOUT_NFS
work_is_mounting
prepare() {
  hostq share unmount home --node web1 --wait && hostq share unmount home --node web2 --wait
}
inject() { sysctl -qw kernel.modprobe=/bin/false && on web1 mount -t tmpfs none /usr/lib/modules && modprobe -r nfsv4 nfsv3 nfs; }
cure() { sysctl -qw kernel.modprobe=/sbin/modprobe && on web1 umount /usr/lib/modules; }
tidy() { hostq share mount home --source 203.0.113.1:/chroot/home --at /home --node web2 --wait; }
