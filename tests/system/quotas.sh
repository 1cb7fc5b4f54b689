#!/bin/bash
# Quotas by file system, told as a story: the file server has XFS instead of ext4; XFS that counts and
# does not enforce; a file system that has no quotas at all; a filer without rquotad, whose quotas a
# program of the nodes' own reads and sets; quotas that an administrator has switched off.
#
#   deploy/lab/run.sh tests/system/quotas.sh
#
# shellcheck source=tests/system/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source=deploy/lab/hostq.sh
source "$LAB_DIR/hostq.sh"
# shellcheck source=deploy/lab/storage.sh
source "$LAB_DIR/storage.sh"

# What storage1 has at /chroot/home, exported as before. Nobody may have it mounted.
serve() { # MOUNT-ARGUMENT...
  on storage1 exportfs -ua
  on storage1 umount /chroot/home
  on storage1 mount "$@" /chroot/home && on storage1 exportfs -ra
}
mount_share() { hostq share mount home --source 203.0.113.1:/chroot/home --at /home --wait; }
unmount_share() { hostq share unmount home --wait; }
kilobytes() { on storage1 quota -v -w -u "$1" 2>&1; } # USER
write_as() { on -u "$1" web1 dd if=/dev/zero of="/home/$1/big" bs=1M count=4 conv=fsync; } # USER
stuck_for() { # DOMAIN NODE CAUSE
  finding_is "$(newest_command "account/$1")" "$2" ".cause == \"$3\" and .stuck"
}

xfs() {
  chapter "XFS: the same commands, the same effect"
  on storage1 sh -ec 'truncate -s 320M /.lab/xfs.img; mkfs.xfs -q /.lab/xfs.img'
  check "storage1 has XFS with user quotas now" serve -o loop,uquota /.lab/xfs.img
  run mount_share
  run hostq account create xfs.example --user xfsuser --address 203.0.113.20 --quota 2MiB --wait
  check "an account with a quota" succeeded
  run on storage1 sh -c 'findmnt -no FSTYPE,OPTIONS /chroot/home; repquota -u /chroot/home'
  check "XFS has the limit" shows 2048
  run on web1 quota -v -w -u xfsuser
  check "web1 sees it through NFS" shows 2048
  run write_as xfsuser
  check "4 MiB do not fit" refused
  check "because of the quota" shows "quota exceeded"
  run hostq account set-quota xfs.example --quota 10GiB --wait
  check "a larger quota" succeeded
  run write_as xfsuser
  check "now they do" succeeded
  run hostq quota set xfs.example --size 20MiB --node web1 --wait
  check "it can be set from a node, through rquotad" succeeded
  check "and read back on the file server" prints 20480 kilobytes xfsuser
}

counted_only() {
  chapter "XFS that counts and does not enforce"
  hostq account delete xfs.example --yes --wait >/dev/null
  unmount_share >/dev/null
  serve -o loop,uqnoenforce /.lab/xfs.img
  mount_share >/dev/null
  run hostq account create lax.example --user lax --address 203.0.113.21 --quota 2MiB
  check_soon 20 "a limit that nobody keeps is not called set: QUOTA_NOT_ENABLED" \
    stuck_for lax.example storage1 QUOTA_NOT_ENABLED
  run hostq explain lax.example
  run hostq command cancel "$(newest_command account/lax.example)"
  hostq account delete lax.example --yes --wait >/dev/null
}

none_at_all() {
  chapter "A file system without quotas"
  unmount_share >/dev/null
  on storage1 sh -c 'sed -i "s/(rw,/(fsid=7,rw,/" /etc/exports'
  serve -t tmpfs -o size=16m tmpfs
  mount_share >/dev/null
  run hostq account create none.example --user none --address 203.0.113.22 --quota 2MiB
  check_soon 20 "it is said to have none: QUOTA_UNSUPPORTED_FILESYSTEM" \
    stuck_for none.example storage1 QUOTA_UNSUPPORTED_FILESYSTEM
  run hostq explain none.example
}

# The nodes begin anew with these lines after what they have in their configuration.
configure() { # HOST LINES
  # shellcheck disable=SC2016
  on "$1" sh -c 'printf "state_dir = \"/var/lib/hostq/agent\"\n%s\n" "$1" >/etc/hostq/agent.toml' sh "$2"
  daemon "$1" node restart && soon 60 node_is "$1" READY
}
quotas_by_program() { # SOURCE PROGRAM
  printf '[[quotas]]\nsource = "%s"\nbackend = "program"\nprogram = "%s"\ntimeout = "5s"' "$1" "$2"
}
check_is() { # NODE CHECK STATUS [REASON]
  holds "any(.checks[]; .id == \"$2\" and .status == \"$3\" and .reason == \"${4:-CODE_UNSPECIFIED}\")" hostq node show "$1"
}
# What the filer's maker would give: a service of its own, and a program for the nodes that asks it.
make_filer() {
  put storage1 /etc/hostq/quota-local 755 <<'PROGRAM'
#!/bin/sh -e
# PROGRAM SOURCE get|set user UID [ISOFT IHARD BSOFT BHARD]
if [ "$2" = set ]; then
  exec setquota -u "$4" "$7" "$8" "$5" "$6" /chroot/home
fi
quota -vwpu "$4" | tr -d '*' | awk 'END { print $7, $8, $3, $4, $2 }'
PROGRAM
  put storage1 /run/filer 755 <<'SERVICE'
#!/usr/bin/perl
use IO::Socket::INET;
my $door = IO::Socket::INET->new(LocalPort => 8099, Listen => 5, ReuseAddr => 1) or die $!;
while (my $peer = $door->accept) {
  chomp(my $asked = <$peer>);
  my $answer = `/etc/hostq/quota-local - $asked`;
  print $peer $? >> 8, " $answer\n";
  close $peer;
}
SERVICE
  daemon_start storage1 filer /run/filer
  local host
  for host in web1 web2; do
    put "$host" /etc/hostq/quota-filer 755 <<'PROGRAM'
#!/bin/bash
echo "$@" >>/run/asked
exec 3<>/dev/tcp/203.0.113.1/8099 || exit 3
echo "${@:2}" >&3
read -r status answer <&3
echo "$answer"
exit "$status"
PROGRAM
  done
}

by_program() {
  chapter "A filer without rquotad: a program of the nodes' own"
  hostq command cancel "$(newest_command account/none.example)" >/dev/null
  hostq account delete none.example --yes --wait >/dev/null
  unmount_share >/dev/null
  serve -o loop,usrquota /.lab/home.img
  mount_share >/dev/null
  rquotad stop
  make_filer
  check "storage1 has a program for its quotas" configure storage1 "$(quotas_by_program '/dev/loop*' /etc/hostq/quota-local)"
  local host
  for host in web1 web2; do
    check "$host too" configure "$host" "$(quotas_by_program '203.0.113.1:/chroot/*' /etc/hostq/quota-filer)"
  done
  hostq node preflight storage1 --wait >/dev/null
  run hostq node preflight web1 --wait
  run hostq node show web1
  check "the preflight reads quotas by it" check_is web1 quota-get OK
  check "on the storage node too, and misses no rquotad" check_is storage1 quota-service SKIPPED
  run hostq account create filer.example --user filer --address 203.0.113.23 --quota 2MiB --wait
  check "an account with a quota" succeeded
  run kilobytes filer
  check "the file system has the limit" shows 2048
  run write_as filer
  check "4 MiB do not fit" refused
  run hostq quota set filer.example --size 20MiB --node web1 --wait
  check "it can be set from a node" succeeded
  run on web1 cat /run/asked
  check "by the program" shows "203.0.113.1:/chroot/home set user $(on web1 id -u filer) 0 0 0 20480"
  check "and read back on the file server" prints 20480 kilobytes filer
}

nonsense() {
  chapter "A program that prints nonsense, and one that others could change"
  on web1 cp /etc/hostq/quota-filer /run/quota-filer
  put web1 /etc/hostq/quota-filer 755 <<'PROGRAM'
#!/bin/sh
echo "Filer OS 9.1: login incorrect"
PROGRAM
  run hostq account create odd.example --user odd --address 203.0.113.24 --quota 2MiB
  check_soon 20 "it is named: QUOTA_PROGRAM_FAILED" stuck_for odd.example web1 QUOTA_PROGRAM_FAILED
  run hostq explain odd.example
  check "with what it printed" shows "Filer OS 9.1: login incorrect"
  on web1 sh -c 'cp /run/quota-filer /etc/hostq/quota-filer; chown hostq-agent /etc/hostq/quota-filer'
  hostq command retry "$(newest_command account/odd.example)" >/dev/null
  check_soon 20 "one that is not root's is not run" finding_is "$(newest_command account/odd.example)" web1 \
    '.summary | contains("is not run: /etc/hostq/quota-filer belongs to uid")'
  on web1 chown root /etc/hostq/quota-filer
  check_soon 60 "mended, the account comes by itself" command_is "$(newest_command account/odd.example)" SUCCEEDED
}

switched_off() {
  chapter "Quotas switched off by an administrator"
  local host
  for host in storage1 web1 web2; do
    configure "$host" $'[[quotas]]\nsource = "*"\nbackend = "none"'
    hostq node preflight "$host" --wait >/dev/null
  done
  run hostq account create free.example --user free --address 203.0.113.25 --quota 2MiB --wait
  check "an account is made all the same" succeeded
  check "that its limit is not kept is said" step_was "$(newest_command account/free.example)" storage1 quota \
    '.warning and .reason == "QUOTA_SWITCHED_OFF"'
  check "on a web server too" step_was "$(newest_command account/free.example)" web1 quota \
    '.warning and .reason == "QUOTA_SWITCHED_OFF"'
  run hostq command show "$(newest_command account/free.example)"
  run hostq node show web1
  check "and stays in sight" check_is web1 quota-get WARNING QUOTA_SWITCHED_OFF
  check "on the storage node too" check_is storage1 quota-enabled WARNING QUOTA_SWITCHED_OFF
  run hostq node list
}

xfs
counted_only
none_at_all
by_program
nonsense
switched_off
story_end
