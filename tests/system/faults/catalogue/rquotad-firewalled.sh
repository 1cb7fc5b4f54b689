# shellcheck shell=bash disable=SC2034,SC2154
# The file server's firewall drops what is sent to rpc.rquotad.
# Cure: Permit UDP to rpc.rquotad's port from the nodes.
reason=QUOTA_SERVICE_UNREACHABLE
inject() { firewall storage1 INPUT -p udp --dport "$(on storage1 rpcinfo -p | awk '/rquotad/ { print $4; exit }')"; }
cure() { firewall_off storage1; }
