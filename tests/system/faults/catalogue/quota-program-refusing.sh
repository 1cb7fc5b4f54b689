# shellcheck shell=bash disable=SC2034,SC2154
# The node's program for quotas reads them; the filer does not permit it to set one.
# Cure: Permit it on the filer, as the program's output says.
reason=QUOTA_SET_NOT_PERMITTED
prepare() { quotas_by_program && account_create --wait; }
inject() {
  quota_program <<'PROGRAM'
#!/bin/sh
[ "$2" = set ] && { echo "the filer: 403 Forbidden" >&2; exit 4; }
echo 0 0 0 0 0
PROGRAM
}
submit() { hostq quota set "$domain" --size 20MiB --node web1; }
cure() { quota_program_that_works web1; }
verify() { prints 20480 on storage1 repquota -u /chroot/home; }
tidy() { account_delete && agent_policy ''; }
