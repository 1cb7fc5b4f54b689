# shellcheck shell=bash disable=SC2034,SC2154
# The node's program for quotas hangs, and ignores signals; so does a child that has left its session.
# Cure: Mend the program; nothing that it left runs on.
reason=QUOTA_PROGRAM_FAILED
prepare() { quotas_by_program; }
inject() {
  quota_program <<'PROGRAM'
#!/bin/sh
trap '' TERM INT HUP
setsid sleep 4243 &
sleep 4243
PROGRAM
}
cure() { quota_program_that_works web1; }
verify() { fails on web1 pgrep -f 'sleep 4243'; }
tidy() { account_delete && agent_policy ''; }
