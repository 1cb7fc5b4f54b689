# shellcheck shell=bash disable=SC2034,SC2154
# The file server exports nothing any more.
# Cure: Export the directory again.
reason=SHARE_ACCESS_DENIED
work_is_mounting
inject() { change_exports d; }
cure() { restore_exports; }
