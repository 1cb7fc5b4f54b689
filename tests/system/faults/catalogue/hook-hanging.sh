# shellcheck shell=bash disable=SC2034,SC2154
# A hook of the node hangs, and ignores signals; so do its children, one of which has left its session.
# Cure: Mend the hook; nothing that it left runs on.
reason=HOOK_TIMED_OUT
prepare() { agent_policy $'[hooks]\ntimeout = "2s"'; }
inject() {
  put web1 /etc/hostq/hooks.d/50-fault 755 <<'HOOK'
#!/bin/sh
trap '' TERM INT HUP
setsid sleep 4242 &
sleep 4242 &
echo "waiting for Godot"
sleep 4242
HOOK
}
cure() { on web1 rm -r /etc/hostq/hooks.d; }
verify() { fails on web1 pgrep -f 'sleep 4242' && step_was "$id" web1 hooks '.evidence.output == "waiting for Godot"'; }
tidy() { account_delete && agent_policy ''; }
