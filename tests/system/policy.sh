#!/bin/bash
# The node's own last word, told as a story: the agent has no privileges; the executor, which has them,
# does nothing that the node's policy does not allow, also for an agent in strange hands.
#
#   deploy/lab/run.sh tests/system/policy.sh
#
# shellcheck source=tests/system/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

status_of() { on web1 sh -c "cat /proc/\$(cat /run/$1.pid)/status"; } # DAEMON
as_agent() { on web1 setpriv --reuid=hostq-agent --regid=hostq-agent --clear-groups --no-new-privs -- "$@"; }

# Everything an attack could change. What the machine that runs the lab keeps in caches shows through.
state_of_web1() {
  on web1 sh -c 'ip -o addr show; ip route; findmnt -rn; sysctl -a 2>/dev/null | grep arp_
    cat /etc/passwd /etc/group /etc/shadow /etc/gshadow
    ls -lAR --ignore=.cache --time-style=full-iso /etc /root /home/ /var/lib/hostq/executor /usr/local /var/spool/cron
    ls -l /usr/bin /usr/sbin | cksum; ls -ld / /usr /bin /boot /srv' 2>&1 | grep -v valid_lft
}

privileges() {
  chapter "Two programs"
  run on web1 ps -o user,pid,args -C hostq-agent,hostq-executor
  check "the agent is a user's" prints "hostq-agent" on web1 ps -o user:20= -C hostq-agent
  run status_of hostq-agent
  check "it has no capability" shows "CapEff:	0000000000000000"
  check "it can get none" shows "CapBnd:	0000000000000000"
  check "also not by a program" shows "NoNewPrivs:	1"
  run as_agent ip addr add 203.0.113.77/32 dev lo
  check "it cannot set an address" refused
  run as_agent cat /var/lib/hostq/executor
  check "nor read what the executor remembers" refused
  run as_agent sh -c 'echo "x = 1" >>/etc/hostq/agent.toml'
  check "nor change the policy" refused
  run on web1 ls -l /run/hostq-executor/socket
  check "the socket is the agent's alone" shows "srw------- 1 hostq-agent"
}

policy() {
  chapter "A narrow policy"
  put web1 /etc/hostq/agent.toml 644 <<'TOML'
state_dir = "/var/lib/hostq/agent"

[policy]
share_sources = ["203.0.113.1:/chroot/home"]
mount_points = ["/home", "/chroot/home"]
address_ranges = ["203.0.113.0/24", "2001:db8::/64"]
TOML
  on web1 useradd --uid 1500 --user-group --no-create-home bob
  check "web1 has it" daemon web1 node restart
  check_soon 60 "web1 is back" node_is web1 READY
}

attack() {
  chapter "An agent in strange hands"
  put web1 /usr/local/bin/hostq_attack 755 <"$LAB_BUILD/../tests/hostq_attack"
  daemon web1 agent stop # it is what has been taken over
  state_of_web1 >/run/before
  as_agent /usr/local/bin/hostq_attack /run/hostq-executor/socket >/run/attack 2>&1
  grep FAIL /run/attack
  run tail -n 1 /run/attack
  check "every attack was refused" grep -q ' passed, 0 failed$' /run/attack
  check "there were more than 200" test "$(grep -c '^  ok' /run/attack)" -gt 200
  state_of_web1 >/run/after
  run diff /run/before /run/after
  check "nothing on web1 has changed" succeeded
  run on web1 setpriv --reuid=bob --regid=bob --clear-groups -- /usr/local/bin/hostq_attack /run/hostq-executor/socket
  check "another user does not get in" shows "Permission denied"
  daemon web1 agent start
}

work_goes_on() {
  chapter "Meanwhile and afterwards"
  check_soon 60 "web1 is there" node_is web1 READY
  run hostq account create example.com --user exampleco --address 203.0.113.10 --quota 10MiB --wait
  check "work within the policy is done" succeeded
  run hostq address bind 198.51.100.7 --node web1 --timeout 20s --wait
  run hostq explain "$(newest_command address/198.51.100.7)"
  check "and what the manager asks beyond it is refused" shows NOT_ALLOWED_BY_POLICY
  check "with the rule" shows address_ranges
}

run hostq share mount home --source 203.0.113.1:/chroot/home --at /home --wait
privileges
policy
attack
work_goes_on
story_end
