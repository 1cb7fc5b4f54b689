# shellcheck shell=bash disable=SC2034,SC2154
# The file server exports something else, and the share no more.
# Cure: Export the directory again.
reason=SHARE_EXPORT_MISSING
work_is_mounting
inject() { on storage1 mkdir -p /run/other && change_exports 's,.*,/run/other *(rw\,no_subtree_check\,fsid=7),'; }
cure() { restore_exports; }
