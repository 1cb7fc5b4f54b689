# shellcheck shell=bash disable=SC2034,SC2154
# The home directory exists and belongs to somebody else.
# Cure: Move the other directory away, or give it to the account; retry.
reason=HOME_WRONG_OWNER node=storage1 heals=retry
inject() { on storage1 install -d -o 4321 -g 4321 "/chroot/home/$user"; }
cure() { on storage1 rmdir "/chroot/home/$user"; }
