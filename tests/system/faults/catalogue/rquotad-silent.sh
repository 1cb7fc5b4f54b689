# shellcheck shell=bash disable=SC2034,SC2154
# rpc.rquotad is registered and does not answer.
# Cure: Restart rpc.rquotad.
reason=QUOTA_SERVICE_UNREACHABLE
inject() { daemon_signal storage1 rpc.rquotad STOP; }
cure() { daemon_signal storage1 rpc.rquotad CONT; }
