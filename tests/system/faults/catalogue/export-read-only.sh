# shellcheck shell=bash disable=SC2034,SC2154
# The share is exported read-only.
# Cure: Export it with rw.
reason=SHARE_READ_ONLY
work_is_mounting
inject() { change_exports s/rw,/ro,/; }
cure() { restore_exports; }
