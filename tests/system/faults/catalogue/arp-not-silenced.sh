# shellcheck shell=bash disable=SC2034,SC2154
# The node would answer ARP requests for addresses on lo (arp_ignore is 0).
# Cure: Set arp_ignore=1 and arp_announce=2.
reason=ARP_NOT_SILENCED
inject() { on web1 sysctl -qw net.ipv4.conf.all.arp_ignore=0; }
cure() { on web1 sysctl -qw net.ipv4.conf.all.arp_ignore=1; }
