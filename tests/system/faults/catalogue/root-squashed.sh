# shellcheck shell=bash disable=SC2034,SC2154
# The export maps root to nobody.
# Cure: Export it with no_root_squash.
reason=SHARE_ROOT_SQUASHED
work_is_mounting
inject() { change_exports s/no_root_squash/root_squash/; }
cure() { restore_exports; }
