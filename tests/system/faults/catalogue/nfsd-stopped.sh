# shellcheck shell=bash disable=SC2034,SC2154
# The NFS server has stopped; the share is mounted.
# Cure: Start the NFS server.
reason=SHARE_UNRESPONSIVE
inject() { nfsd stop; }
cure() { nfsd start; }
