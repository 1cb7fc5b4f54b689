# shellcheck shell=bash disable=SC2034,SC2154
# The balancer's kernel has no IPVS, and no module of it.
# Cure: modprobe ip_vs; in a container, on its host.
reason=KERNEL_WITHOUT_IPVS node=web2
prepare() { rejoin_as web2 balancer 203.0.113.3; }
inject() {
  sysctl -qw kernel.modprobe=/bin/false && on web2 mount -t tmpfs none /usr/lib/modules &&
    modprobe -r ip_vs_rr ip_vs_wrr ip_vs_lc ip_vs_wlc ip_vs
}
cure() { sysctl -qw kernel.modprobe=/sbin/modprobe && on web2 umount /usr/lib/modules; }
verify() { on web2 grep TCP /proc/net/ip_vs; }
tidy() {
  account_delete && rejoin_as web2 app 203.0.113.3 &&
    hostq share mount home --source 203.0.113.1:/chroot/home --at /home --node web2 --wait
}
