# shellcheck shell=bash disable=SC2034,SC2154
# Another user of the node has the account's uid.
# Cure: Give the other user another uid, or remove it; retry.
reason=UID_TAKEN heals=retry
inject() { on web1 useradd --no-create-home --uid 20900 --shell /usr/sbin/nologin foreigner; }
submit() { account_create --uid 20900; }
cure() { on web1 userdel foreigner; }
