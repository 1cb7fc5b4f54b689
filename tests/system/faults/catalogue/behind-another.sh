# shellcheck shell=bash disable=SC2034,SC2154
# An earlier command on the same account is stuck on the node.
# Cure: Mend what the earlier command is stuck at.
reason=BEHIND
prepare() { account_create --wait; }
inject() {
  on web1 ip addr add 198.51.100.7/32 dev eth0 && hostq account add-address "$domain" 198.51.100.7
  earlier=$(newest_command "$(key)")
  soon 30 named "$earlier" web1 ADDRESS_ON_OTHER_INTERFACE
}
submit() { hostq account add-address "$domain" 198.51.100.8; }
cure() { on web1 ip addr del 198.51.100.7/32 dev eth0 && hostq command retry "$earlier"; }
