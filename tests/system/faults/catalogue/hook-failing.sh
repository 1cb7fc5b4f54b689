# shellcheck shell=bash disable=SC2034,SC2154
# A hook of the node fails.
# Cure: Mend the hook, as its output says.
reason=HOOK_FAILED
inject() {
  put web1 /etc/hostq/hooks.d/50-fault 755 <<'HOOK'
#!/bin/sh
echo "the mail server's database is locked" >&2
exit 1
HOOK
}
cure() { on web1 rm -r /etc/hostq/hooks.d; }
verify() { step_was "$id" web1 hooks '.evidence.output == "the mail server'\''s database is locked"'; }
