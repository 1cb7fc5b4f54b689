# shellcheck shell=bash disable=SC2034,SC2154
# A group of the node has the account's gid.
# Cure: Give the other group another gid, or remove it; retry.
reason=GID_TAKEN heals=retry
inject() { on web1 groupadd --gid 20901 foreigners; }
submit() { account_create --uid 20901; }
cure() { on web1 groupdel foreigners; }
