#!/bin/bash
# Builds the root file system that the lab's hosts share, runs setup.sh in it, and ends.  In the
# guest this is process 1, and / a tmpfs over the machine's root file system (see init-uml.sh);
# without a guest / is that file system itself.  The caller has sourced the run's settings.
#
# The root is a tmpfs with the top-level directories of / in it, because NFSv4 exports a pseudo root
# "/" and the kernel's NFS server refuses an overlay there (no file handles): every mount of
# /chroot/home would fail with ENOENT.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# The static busybox starts faster than the dynamic tools, which counts in a guest.
for tool in mount umount mkdir cp ln pivot_root; do
  eval "$tool() { busybox $tool \"\$@\"; }"
done

# ---- What differs: take DIR into the new root; share DIR of the machine again; the end. --------

case $LAB_BACKEND in
  uml)
    new=/.new
    take() { mount --rbind "$1" "$new$1"; }
    share() { mount -t hostfs -o "$1,$2" none "$2"; }                    # ro|rw DIR
    end() { exec busybox poweroff -f -n; }
    fail() { echo "root: $*" >/dev/console; end; }
    ;;
  here)
    new=$LAB_RUN/root
    # Each directory under a tmpfs of its own: what is written is thrown away with the namespace.
    take() {
      local layers=$new/.layers$1
      if [[ $1 == /dev ]]; then mount --rbind /dev "$new/dev"; return; fi
      mkdir -p "$layers/upper" "$layers/work"
      mount -t overlay -o "lowerdir=$1,upperdir=$layers/upper,workdir=$layers/work" overlay "$new$1"
    }
    share() { mount --bind "/.old$2" "$2" && mount -o "remount,bind,$1" "$2"; }
    end() { exit 0; }
    fail() { echo "root: $*" >&2; exit 1; }
    ;;
esac

fill_root() {
  local entry
  shopt -s dotglob
  for entry in /*; do
    case $entry in
      /.new | /.old | /.lab | /lost+found | /home | /chroot) ;;
      /proc | /sys | /run) mkdir "$new$entry" ;;
      *)
        if [[ -L $entry ]]; then cp -d "$entry" "$new$entry"
        elif [[ -d $entry ]]; then mkdir "$new$entry" && take "$entry"
        else cp -p "$entry" "$new$entry"
        fi ;;
    esac
  done
  shopt -u dotglob
  mkdir -p "$new/chroot/home"
  ln -s /chroot/home "$new/home"                # as on every machine that hostq manages
}

mount_system() {
  mount -t proc proc /proc
  mount -t sysfs sysfs /sys
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir -p /run/lock
  chmod 1777 /tmp
  ln -sfn /proc/self/mounts /etc/mtab
  ip link set lo up
  hostname lab
}

# /dev of the guest is the kernel's devtmpfs: bare.
fill_dev() {
  mkdir -p /dev/pts /dev/shm /dev/mqueue
  mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
  mount -t tmpfs -o mode=1777 tmpfs /dev/shm
  ln -sfn /proc/self/fd /dev/fd
  ln -sfn /proc/self/fd/0 /dev/stdin
  ln -sfn /proc/self/fd/1 /dev/stdout
  ln -sfn /proc/self/fd/2 /dev/stderr
}

# What the new root hides (a checkout below /home, say) is shared again, parents before children;
# and what the run may write on the machine.
share_directories() {
  local directory
  for directory in "${LAB_READ_ONLY[@]}"; do
    [[ ! -d $directory ]] || continue
    mkdir -p "$directory"
    share ro "$directory" || fail "cannot share $directory"
  done
  for directory in "$LAB_RUN" "${LAB_READ_WRITE[@]}"; do
    mkdir -p "$directory"
    share rw "$directory" || fail "cannot share $directory"
  done
}

[[ -d /.old ]] && umount -l /.old
mkdir -p "$new"
mount -t tmpfs -o mode=755 tmpfs "$new" || fail "no tmpfs"
fill_root
mkdir -p "$new/.old"
cd "$new" || fail "no new root"
pivot_root . .old || fail "no pivot_root"
exec </dev/null
mount_system
[[ $LAB_BACKEND == here ]] || fill_dev
share_directories
umount -l /.old
rmdir /.old

cd /
setsid --wait bash "$LAB_RUN/start" setup.sh
status=$?
dmesg >"$LAB_LOGS/dmesg" 2>/dev/null
for directory in "${LAB_READ_WRITE[@]}"; do sync -f "$directory"; done
echo "$status" >"$LAB_RUN/status.new"
sync -f "$LAB_RUN/status.new"
mv "$LAB_RUN/status.new" "$LAB_RUN/status"
# No unmounting, no sync of everything, no waiting for processes: a script may have left a hung
# hard NFS mount behind.
end
