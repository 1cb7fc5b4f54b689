# shellcheck shell=bash disable=SC2034,SC2154
# The file server's firewall drops NFS; the share is mounted.
# Cure: Permit TCP to port 2049 from the nodes.
reason=SHARE_UNRESPONSIVE
inject() { firewall storage1 INPUT -p tcp --dport 2049; }
cure() { firewall_off storage1; }
