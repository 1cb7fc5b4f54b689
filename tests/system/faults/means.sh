# shellcheck shell=bash disable=SC2119,SC2120,SC2154
# What the faults of the catalogue are made with.  Sourced by in-lab.sh, after the lab's functions.

account_create() { hostq account create "$domain" --user "$user" --address "$address" --quota 10MiB "$@"; }
account_delete() {
  hostq account show "$domain" >/dev/null 2>&1 || return 0
  hostq account delete "$domain" --yes --wait --timeout 60s
}

# The work is to mount the share on web1, which does not have it.
mount_share() { hostq share mount home --source 203.0.113.1:/chroot/home --at /home --node web1 "$@"; }
# shellcheck disable=SC2317
work_is_mounting() {
  prepare() { hostq share unmount home --node web1 --wait; }
  submit() { mount_share; }
  key() { echo share/home; }
  tidy() { :; }
}
# The work is to unmount it.
# shellcheck disable=SC2317
work_is_unmounting() {
  submit() { hostq share unmount home --node web1; }
  key() { echo share/home; }
  tidy() { mount_share --wait; }
}

# What storage1 exports, other than before.
change_exports() { # SED
  # shellcheck disable=SC2016
  on storage1 sh -c 'cp /etc/exports /run/exports.kept; sed -i "$1" /etc/exports; exportfs -ra; exportfs -f' sh "$1"
}
restore_exports() { on storage1 sh -c 'cp /run/exports.kept /etc/exports; exportfs -ra'; }

# HOST drops what MATCHes, on its way in (INPUT) or out (OUTPUT).  The guest's kernel has nftables for
# bridges only.
firewall() { on "$1" iptables-legacy -A "$2" "${@:3}" -j DROP; } # HOST INPUT|OUTPUT MATCH...
firewall_off() { on "$1" iptables-legacy -F; } # HOST

# The executor of HOST begins anew, started by COMMAND.
executor_restart() { # HOST COMMAND...
  daemon "$1" executor stop && daemon_start "$1" hostq-executor "${@:2}" hostq-executor run --config "$AGENT_CONFIG"
}
# The agent of HOST begins anew, started by COMMAND: setpriv, env, nothing.
agent_restart() { # HOST [COMMAND...]
  daemon "$1" agent stop && agent_start "$@"
}
agent_start() { # HOST [COMMAND...]
  daemon_start "$1" hostq-agent "${@:2}" hostq-agent run --config "$AGENT_CONFIG"
}
# The program that follows takes the clock for OFFSET off, as if the machine's were.
clock_off() { # OFFSET
  clock=(env "LD_PRELOAD=$(echo /usr/lib/*/faketime/libfaketimeMT.so.1)" "FAKETIME=$1" FAKETIME_DONT_FAKE_MONOTONIC=1)
}
agent_clock() { # HOST OFFSET
  clock_off "$2" && agent_restart "$1" "${clock[@]}"
}

join_again() { # HOST
  local line
  line=$(hostq node rejoin "$1" --output json | jq -r .joinCommand)
  # shellcheck disable=SC2086
  on "$1" $line
}
# HOST's agent begins anew with a new key and certificate.
rejoin() { # HOST
  daemon "$1" agent stop && join_again "$1" && agent_start "$1"
}
# The same, and the certificate is valid for so many seconds more: it is issued by the manager with its
# clock as far behind as certificates live.  Meanwhile no node gets to the manager, which would refuse it;
# afterwards none gets to where certificates are renewed.
rejoin_for() { # HOST SECONDS
  clock_off "-$((90 * 86400 - $2))"
  daemon "$1" agent stop && daemon storage1 manager stop && firewall storage1 INPUT -p tcp --dport 7443 &&
    daemon_start storage1 hostq-manager "${AS_HOSTQ[@]}" "${clock[@]}" hostq-manager run --config "$MANAGER_CONFIG" &&
    soon 30 hostq node list && join_again "$1" && daemon storage1 manager stop && firewall_off storage1 &&
    firewall storage1 INPUT -p tcp --dport 7444 && daemon storage1 manager start && agent_start "$1"
}

# The web servers begin anew with these lines in their policy.
agent_policy() { # LINES
  local host
  for host in web1 web2; do
    # shellcheck disable=SC2016
    on "$host" sh -c 'printf "state_dir = \"/var/lib/hostq/agent\"\n[policy]\n%s\n" "$1" >/etc/hostq/agent.toml' sh "$1"
    daemon "$host" node restart && soon 60 node_is "$host" READY || return
  done
}

# The agent of web1 has its journal on a disk of its own; and where it was before.
journal_on_disk() {
  daemon web1 agent stop && on web1 sh -ec 'mkdir -p /run/kept; cp -a /var/lib/hostq/agent /run/kept/
    truncate -s 16M /run/journal.img; mkfs.ext4 -q /run/journal.img
    mount -o loop,errors=remount-ro /run/journal.img /var/lib/hostq/agent
    cp -a /run/kept/agent /var/lib/hostq/; sync -f /var/lib/hostq/agent' &&
    daemon web1 agent start && soon 60 node_is web1 READY
}
journal_back() {
  daemon web1 agent stop && on web1 sh -ec 'rm -r /run/kept/agent; cp -a /var/lib/hostq/agent /run/kept/
    umount /var/lib/hostq/agent; rm -r /var/lib/hostq/agent; cp -a /run/kept/agent /var/lib/hostq/' &&
    daemon web1 agent start && soon 60 node_is web1 READY
}

# HOST leaves the cluster and joins it again with other roles.
rejoin_as() { # HOST ROLES ADDRESS
  hostq node remove "$1" --force && daemon "$1" node stop && on "$1" rm -rf /var/lib/hostq/agent &&
    join_node "$1" "$2" "$3" && soon 60 node_is "$1" READY
}

# web1 and web2 read and set quotas by a program, of which web1's is standard input; and by one that asks
# rquotad, as hostq itself would.
quota_program() {
  put web1 /etc/hostq/quota 755
}
quota_program_that_works() { # HOST
  put "$1" /etc/hostq/quota 755 <<'PROGRAM'
#!/bin/sh -e
if [ "$2" = set ]; then
  exec setquota -r -u "$4" "$7" "$8" "$5" "$6" /chroot/home
fi
quota -vwpu "$4" | tr -d '*' | awk 'END { print $7, $8, $3, $4, $2 }'
PROGRAM
}
quotas_by_program() {
  quota_program_that_works web1 && quota_program_that_works web2 && agent_policy '[[quotas]]
source = "203.0.113.1:/*"
backend = "program"
program = "/etc/hostq/quota"
timeout = "2s"'
}
