# shellcheck shell=bash disable=SC2034,SC2154
# The node's own policy does not allow the address.
# Cure: Change the policy, or the address; retry.
reason=NOT_ALLOWED_BY_POLICY heals=retry
inject() { agent_policy 'address_ranges = ["192.0.2.0/24"]'; }
cure() { agent_policy ''; }
