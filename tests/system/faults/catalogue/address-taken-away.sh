# shellcheck shell=bash disable=SC2034,SC2154
# Somebody has taken an account's address off lo on a node whose policy leaves it so.
# Cure: Put the address back; or let the agent do it (`policy.repair`).
reason=ADDRESS_MISSING
prepare() { agent_policy 'repair = false' && account_create --wait; }
inject() { on web1 ip addr del "$address/32" dev lo; }
submit() { hostq account set-quota "$domain" --quota 20MiB; }
cure() { on web1 ip addr add "$address/32" dev lo; }
tidy() { account_delete && agent_policy 'repair = true'; }
