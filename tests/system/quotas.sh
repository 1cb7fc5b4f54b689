#!/bin/bash
# Quotas by file system, told as a story: the file server has XFS instead of ext4; XFS that counts and
# does not enforce; a file system that has no quotas at all; and back.
#
#   deploy/lab/run.sh tests/system/quotas.sh
#
# shellcheck source=tests/system/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

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

xfs
counted_only
none_at_all
story_end
