# shellcheck shell=bash disable=SC2034,SC2154
# The disk with the agent's journal is full.
# Cure: Free space.
reason=JOURNAL_UNAVAILABLE
prepare() {
  daemon web1 agent stop && on web1 sh -c 'mkdir -p /run/kept && cp -a /var/lib/hostq/agent /run/kept/ &&
    mount -t tmpfs -o size=4m small /var/lib/hostq/agent && cp -a /run/kept/agent /var/lib/hostq/' && daemon web1 agent start &&
    soon 60 node_is web1 READY
}
inject() { on web1 dd if=/dev/zero of=/var/lib/hostq/agent/filler bs=4k status=none; true; }
cure() { on web1 rm /var/lib/hostq/agent/filler; }
tidy() { account_delete && journal_back; }
