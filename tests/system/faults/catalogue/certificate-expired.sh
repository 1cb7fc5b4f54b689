# shellcheck shell=bash disable=SC2034,SC2154
# The node's certificate has expired.
# Cure: Join the node again: hostq node rejoin, and run what it prints on the node.
reason=CERTIFICATE_EXPIRED
inject() { rejoin_for web1 30 && soon 30 node_is web1 READY && soon 60 node_is web1 OFFLINE; }
cure() { rejoin web1; }
