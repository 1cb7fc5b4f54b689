#!/bin/bash
# Process 1 of the User-Mode Linux guest.  / is the machine's own root file system, read-only over
# hostfs; this puts a tmpfs over it, so that everything can be written and nothing is kept, and
# goes on with root.sh in there.  The caller has sourced the run's settings.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

fail() { echo "init-uml: $*" >/dev/console; exec busybox poweroff -f -n; }

mount -t proc proc /proc || fail "no /proc"
modules=/usr/lib/uml/modules/$(uname -r)
busybox insmod "$modules/kernel/fs/overlayfs/overlay.ko" || fail "no overlay module"
mount -t tmpfs -o mode=755,size=90% tmpfs /run || fail "no tmpfs"      # upper layer: guest memory
mkdir -p /run/upper /run/work /run/root
mount -t overlay overlay -o lowerdir=/,upperdir=/run/upper,workdir=/run/work /run/root ||
  fail "no overlay"

cd /run/root || fail "no overlay"
mkdir -p usr/lib/modules .old
ln -sfn "$modules" "usr/lib/modules/$(uname -r)"
mount --move /dev dev
umount /proc
# Not chroot alone: pivot_root moves the kernel threads' root too, and with it the kernel's own
# calls of modprobe see /lib/modules.
pivot_root . .old || fail "no pivot_root"
exec chroot . /bin/bash "$LAB_RUN/start" root.sh
