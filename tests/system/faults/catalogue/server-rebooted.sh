# shellcheck shell=bash disable=SC2034,SC2154
# The file server is being rebooted: nothing of it answers.
# Cure: Wait until it is back.
reason=SHARE_UNRESPONSIVE
inject() { stop_file_daemons; }
cure() { start_file_daemons; }
