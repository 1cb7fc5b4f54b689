# shellcheck shell=bash disable=SC2034,SC2154
# The disk with the agent's journal had an error, and the kernel has made it read-only.
# Cure: Mend the disk (fsck) and mount it writable; restart the agent.
reason=JOURNAL_UNAVAILABLE
prepare() { journal_on_disk; }
# shellcheck disable=SC2016
inject() {
  on web1 sh -c 'echo 1 >"/sys/fs/ext4/$(basename "$(findmnt -no SOURCE /var/lib/hostq/agent)")/trigger_fs_error"' &&
    soon 10 fails on web1 touch /var/lib/hostq/agent/file
}
cure() {
  daemon web1 agent stop
  on web1 sh -c 'umount /var/lib/hostq/agent; e2fsck -fp /run/journal.img; mount -o loop /run/journal.img /var/lib/hostq/agent'
  daemon web1 agent start
}
tidy() { account_delete && journal_back; }
