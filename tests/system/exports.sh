#!/bin/bash
# Exports, told as a story: the storage node exports a share to the nodes that mount it, and to nobody
# else; a node that joins gets it before its preflight, one that is removed loses it; what the
# administrator exports stays and counts.
#
#   deploy/lab/run.sh tests/system/exports.sh
#
# shellcheck source=tests/system/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source=deploy/lab/hostq.sh
source "$LAB_DIR/hostq.sh"

in_force() { on storage1 cat /var/lib/nfs/etab; }
exported_to() { in_force | grep -F "/chroot/home	$1("; } # CLIENT as in etab
own() { on storage1 cat /etc/exports.d/hostq.exports; }
mounted() { on "$1" findmnt --types nfs4 /chroot/home; } # HOST
may_mount() { on "$1" sh -c 'mkdir -p /tmp/try && mount -t nfs4 -o retry=0 203.0.113.1:/chroot/home /tmp/try && umount /tmp/try'; } # HOST
exports() { on storage1 sh -c 'cat >/etc/exports && exportfs -ra'; }

mounting() {
  chapter "A share that is exported to the nodes that mount it"
  exports </dev/null
  check "nothing is exported" fails may_mount web1
  run hostq share mount home --source 203.0.113.9:/chroot/home --at /home --export
  check "a server that is no storage node is refused" refused
  run hostq share mount home --source 203.0.113.1:/chroot/home --at /home --export --wait
  check "the share is mounted" succeeded
  check "web1 has it" mounted web1
  check "web2 has it" mounted web2
  run in_force
  check "it is exported to web1" exported_to 203.0.113.2
  check "and to web2" exported_to 203.0.113.3
  check "and to nobody else" fails may_mount other1
  run hostq share list
  check "that hostq exports it is shown" shows "by hostq"
  run hostq account create a.example --user a --address 203.0.113.10 --quota 10MiB --wait
  check "an account is created on it" succeeded
}

leaving_and_coming() {
  chapter "A node leaves, and comes again"
  on web2 sh -c 'umount /chroot/home'
  hostq node remove web2 --force >/dev/null
  check_soon 20 "it is not exported to web2 any more" fails exported_to 203.0.113.3
  check "which cannot mount it" fails may_mount web2
  daemon web2 agent stop
  on web2 sh -c 'rm -rf /var/lib/hostq/agent /run/hostq/agent'
  join_node web2 app 203.0.113.3
  check_soon 60 "it joins again, and passes its preflight" node_is web2 READY
  check "it is exported to web2" exported_to 203.0.113.3
}

administrators() {
  chapter "What the administrator exports stays, and counts"
  exports <<<'/chroot/home 203.0.113.0/24(rw,sync,no_root_squash,no_subtree_check)
/srv *(ro,no_subtree_check)'
  run hostq share mount home --source 203.0.113.1:/chroot/home --at /home --export --wait
  check "it is mounted as before, although /srv cannot be exported here" succeeded
  check "hostq leaves it to the administrator" fails eval 'own | grep -F 203.0.113'
  check "whose exports stay" exported_to 203.0.113.0/24
  check "all of them" prints /srv in_force
  exports </dev/null
  run hostq share mount home --source 203.0.113.1:/chroot/home --at /home --export --wait
  check "without them hostq exports it again" exported_to 203.0.113.2
}

unmounting() {
  chapter "It is unmounted, and not exported any more"
  run hostq account delete a.example --yes --wait
  run hostq share unmount home --wait
  check "it is unmounted" succeeded
  check "nothing is exported to web1" fails exported_to 203.0.113.2
  check "nor to web2" fails exported_to 203.0.113.3
}

mounting
leaving_and_coming
administrators
unmounting
story_end
