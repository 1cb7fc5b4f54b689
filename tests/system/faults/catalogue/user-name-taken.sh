# shellcheck shell=bash disable=SC2034,SC2154
# The login name exists on the node, with another uid.
# Cure: Rename or remove the other user; retry.
reason=USER_NAME_TAKEN heals=retry
inject() { on web1 useradd --no-create-home --uid 4321 --shell /usr/sbin/nologin "$user"; }
cure() { on web1 userdel "$user"; }
