# shellcheck shell=bash disable=SC2034,SC2154
# The executor does not run; the agent does.
# Cure: Start it: systemctl start hostq-executor.
reason=EXECUTOR_UNAVAILABLE
inject() { daemon web1 executor kill && sleep 5; }
cure() { daemon web1 executor start; }
