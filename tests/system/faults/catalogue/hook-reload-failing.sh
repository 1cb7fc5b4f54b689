# shellcheck shell=bash disable=SC2034,SC2154
# What a hook changed cannot be taken over: the reload fails.
# Cure: Mend what the reload complains about, as its output says.
reason=HOOK_RELOAD_FAILED
inject() {
  put web1 /etc/hostq/hooks.d/50-fault 755 <<<'#!/bin/sh'
  put web1 /etc/hostq/hooks.d/50-fault.reload 755 <<'HOOK'
#!/bin/sh
[ -e /run/mended ] || { echo "line 1: a mistake"; exit 1; }
HOOK
}
cure() { on web1 touch /run/mended; }
verify() { step_was "$id" web1 hooks '.evidence.hook == "/etc/hostq/hooks.d/50-fault.reload" and .evidence.output == "line 1: a mistake"'; }
tidy() { account_delete && on web1 rm -r /etc/hostq/hooks.d /run/mended; }
