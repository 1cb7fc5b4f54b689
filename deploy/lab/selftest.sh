#!/bin/bash
# Proves that the lab is what it says, without hostq:
#
#   deploy/lab/run.sh --bare deploy/lab/selftest.sh
set -u
# shellcheck source=deploy/lab/lib.sh
source "$LAB_DIR/lib.sh"
passed=0 failed=0

# check WHAT COMMAND...: WHAT holds if COMMAND succeeds.
check() {
  local output
  if output=$("${@:2}" 2>&1); then
    passed=$((passed + 1))
    echo "ok   $1"
  else
    failed=$((failed + 1))
    printf 'FAIL %s\n%s\n' "$1" "$output"
  fi
}
fails() { ! "$@"; }
says() { # TEXT COMMAND...: COMMAND's output has TEXT in it; its status is no matter.
  local output
  output=$("${@:2}" 2>&1)
  echo "$output"
  [[ $output == *"$1"* ]]
}
write_as() { # HOST UID MIB FILE
  on -u "$2" "$1" dd if=/dev/zero of="$4" bs=1M count="$3" conv=fsync
}
ends_well() { # WHAT PID, within 30 s
  check "$1 ends" eventually 30 process_gone "$2"
  wait "$2"
  check "$1 succeeds" test $? = 0
}

hosts() {
  local host
  for host in storage1 web1 web2 other1; do
    check "$host has its own name" says "$host" on "$host" hostname
    check "$host: /home is a symbolic link" says /chroot/home on "$host" readlink /home
    check "$host has its own processes" fails on "$host" pgrep -f guest/setup.sh
  done
  check "web1 has no account" fails on web1 getent passwd exampleco
  check "useradd on web1" on web1 useradd -M -N -u 20001 -d /home/exampleco exampleco
  check "getent on web1 finds it" says exampleco:x:20001 on web1 getent passwd exampleco
  check "web2 does not" fails on web2 getent passwd exampleco
  check "nor does the machine that we came from" fails getent passwd exampleco
  on web1 touch /tmp/mark /run/mark /var/lib/hostq/mark /chroot/mark /etc/mark /var/log/mark
  local dir
  for dir in /tmp /run /var/lib/hostq /chroot /etc /var/log; do
    check "web1 has its own $dir" fails on web2 test -e "$dir/mark"
  done
  check "no name service cache" fails pgrep -x nscd
}

share() {
  local host
  for host in web1 web2; do
    check "$host mounts the share" on "$host" \
      mount -t nfs -o vers=4.2,hard,timeo=20,retrans=2 203.0.113.1:/chroot/home /chroot/home
    check "$host: NFS 4.2 at /home" says vers=4.2 on "$host" findmnt -t nfs4 /chroot/home
  done
  on storage1 install -d -m 700 -o 20001 -g 20001 /chroot/home/exampleco
  check "what web1 writes" write_as web1 20001 1 /home/exampleco/one
  check "web2 reads" on -u 20001 web2 cmp -n 1048576 /dev/zero /home/exampleco/one
  check "a lock, NFS 4" eventually 60 on web1 flock -n /home/exampleco/one true
}

quotas() {
  check "web1 sets a quota on the share" on web1 setquota -r -u 20001 0 2048 0 0 /chroot/home
  check "the file server has it" says 2048 on storage1 repquota -un /chroot/home
  check "web2 reads it" says 2048 on web2 quota -v -w -u 20001
  check "a write over it is refused, web1" says "quota exceeded" write_as web1 20001 4 /home/exampleco/big
  check "a write over it is refused, web2" says "quota exceeded" write_as web2 20001 4 /home/exampleco/big2
  check "rquotad without -S" rquotad deny
  check "refuses a change" fails on web1 setquota -r -u 20001 0 4096 0 0 /chroot/home
  check "and still answers reads" says 2048 on web2 quota -v -w -u 20001
  check "rquotad stopped" rquotad stop
  check "refuses a change, too" fails on web1 setquota -r -u 20001 0 4096 0 0 /chroot/home
  check "rquotad with -S again" rquotad allow
  check "permits the change" on web1 setquota -r -u 20001 0 4096 0 0 /chroot/home
  check "which is there" says 4096 on storage1 repquota -un /chroot/home
}

answers() { on "$1" ping -c1 -W1 "$2"; } # HOST ADDRESS
arp_replies() { on "$1" arping -c1 -w"$3" -I eth0 "$2"; } # HOST ADDRESS SECONDS

addresses() {
  on web1 ip addr add 203.0.113.10/32 dev lo
  check "web1 is silent about an address on lo" says "Received 0 response" arp_replies storage1 203.0.113.10 1
  on other1 ip addr add 203.0.113.20/32 dev eth0
  check "another host speaks for its own" says "Received 1 response" arp_replies web1 203.0.113.20 5
}

network() {
  local writer
  check "storage1 reaches web1" eventually 20 answers storage1 203.0.113.2
  unplug web1
  check "unplugged, it does not" fails answers storage1 203.0.113.2
  check "web1's own link stays up" says LOWER_UP on web1 ip link show eth0
  on -u 20001 web1 dd if=/dev/zero of=/home/exampleco/cut bs=4k count=1 conv=fsync 2>/dev/null &
  writer=$!
  check "web2 goes on" write_as web2 20001 1 /home/exampleco/two
  sleep 1
  check "web1's write waits" kill -0 "$writer"
  plug web1
  ends_well "plugged in, the write" "$writer"
  check "storage1 reaches web1 again" eventually 20 answers storage1 203.0.113.2
}

server() {
  local writer
  nfsd stop
  on -u 20001 web2 dd if=/dev/zero of=/home/exampleco/late bs=4k count=1 conv=fsync 2>/dev/null &
  writer=$!
  sleep 1
  check "NFS stopped: a write waits" kill -0 "$writer"
  check "NFS started" nfsd start
  ends_well "the write" "$writer"
}

hosts
share
quotas
addresses
network
server
echo "$passed passed, $failed failed"
((failed == 0))
