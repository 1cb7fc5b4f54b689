# shellcheck shell=bash disable=SC2034,SC2154
# rpc.rquotad does not run, and is not registered: quotas cannot be read over NFS.
# Cure: Start rpc.rquotad.
reason=QUOTA_SERVICE_UNREACHABLE
inject() { rquotad stop; }
cure() { rquotad allow; }
