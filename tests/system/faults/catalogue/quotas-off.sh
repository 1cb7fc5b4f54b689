# shellcheck shell=bash disable=SC2034,SC2154
# User quotas are switched off on the file server's file system.
# Cure: quotaon -u on the file server.
reason=QUOTA_NOT_ENABLED node=storage1
inject() { on storage1 quotaoff -u /chroot/home; }
cure() { on storage1 quotaon -u /chroot/home; }
