# shellcheck shell=bash disable=SC2034,SC2154
# An administrator has paused this kind of command.
# Cure: Resume the kind.
reason=KIND_PAUSED
node=storage1
inject() { hostq command pause --kind create_account --note 'fault'; }
cure() { hostq command resume --kind create_account; }
