# shellcheck shell=bash disable=SC2034,SC2154
# A hook of the node floods its output, fails, and leaves a process that keeps the output open.
# Cure: Mend the hook, as its output says.
reason=HOOK_FAILED
inject() {
  put web1 /etc/hostq/hooks.d/50-fault 755 <<'HOOK'
#!/bin/sh
yes | head -c 20000000
echo "the last words" >&2
sleep 4243 &
exit 1
HOOK
}
cure() { on web1 rm -r /etc/hostq/hooks.d; }
verify() {
  fails on web1 pgrep -f 'sleep 4243' &&
    step_was "$id" web1 hooks '(.evidence.output | endswith("\nthe last words") and length <= 1024) and .evidence.left_behind == "1"'
}
