# shellcheck shell=bash disable=SC2034,SC2154
# The NFS server has stopped; the share is to be mounted.
# Cure: Start the NFS server.
reason=SHARE_SERVER_UNREACHABLE
work_is_mounting
inject() { nfsd stop; }
cure() { nfsd start; }
