# shellcheck shell=bash disable=SC2034,SC2154
# An administrator has paused the resource.
# Cure: Resume the resource.
reason=RESOURCE_PAUSED
node=storage1
inject() { hostq command pause --key "account/$domain" --note fault; }
cure() { hostq command resume --key "account/$domain"; }
