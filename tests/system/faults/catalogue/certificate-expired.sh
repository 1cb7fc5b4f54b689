# shellcheck shell=bash disable=SC2034,SC2154
# The node's certificate has expired: it could not get to where it would have been renewed.
# Cure: Let the node reach the manager's enrolment port and restart its agent: it renews by itself.
reason=CERTIFICATE_EXPIRED
inject() { rejoin_for web1 30 && soon 30 node_is web1 READY && soon 60 node_is web1 OFFLINE; }
cure() { firewall_off storage1 && daemon web1 agent restart; }
