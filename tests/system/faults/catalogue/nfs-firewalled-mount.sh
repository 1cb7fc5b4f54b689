# shellcheck shell=bash disable=SC2034,SC2154
# The file server's firewall drops NFS; the share is to be mounted.
# Cure: Permit TCP to port 2049 from the nodes.
reason=SHARE_SERVER_UNREACHABLE
work_is_mounting
inject() { firewall storage1 INPUT -p tcp --dport 2049; }
cure() { firewall_off storage1; }
