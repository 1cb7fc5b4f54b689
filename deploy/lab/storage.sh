# shellcheck shell=bash
# The file server on storage1: ext4 with user quotas, exported by the kernel's NFS server, quotas
# over the network by rpc.rquotad.  Sourced by setup.sh.

make_share() {
  local image=/.lab/home.img
  modprobe -a loop ext4 quota_v2
  truncate -s 256M "$image"              # sparse, on a tmpfs: costs guest memory only as written
  mkfs.ext4 -q -O quota -E quotatype=usrquota,lazy_itable_init=1 "$image" || return
  on storage1 mount -o loop,usrquota "$image" /chroot/home || return
  on storage1 rmdir /chroot/home/lost+found
}

start_file_server() {
  modprobe -a sunrpc nfsd nfsv4 nfs
  # lockd's grace period (50 s by default) refuses locks of NFSv3 and NFSv4.  The setting is for the
  # whole kernel: not to be touched if that is the machine's own.
  [[ $LAB_BACKEND == here ]] || sysctl -qw fs.nfs.nlm_timeout=3 fs.nfs.nlm_grace_period=3
  on storage1 sh -ec 'mount -t nfsd nfsd /proc/fs/nfsd
    echo "/chroot/home 203.0.113.0/24(rw,sync,no_root_squash,no_subtree_check)" >/etc/exports' || return
  start_file_daemons
}

start_file_daemons() {
  daemon_start storage1 rpcbind rpcbind -f -w
  eventually 30 on storage1 rpcinfo -p || { lab_fail "rpcbind does not answer"; return; }
  on storage1 exportfs -ra || return
  daemon_start storage1 rpc.statd rpc.statd -F --no-notify
  start_client_tracking || return
  nfsd start || return
  daemon_start storage1 rpc.mountd rpc.mountd -F
  rquotad allow || return
  eventually 30 on storage1 rpcinfo -t "$LAB_QUORUM" nfs 4 || lab_fail "the NFS server does not answer"
}

stop_file_daemons() {
  rquotad stop && nfsd stop || return
  local name
  for name in rpc.mountd nfsdcld rpc.statd rpcbind; do daemon_stop storage1 "$name" || return; done
}

# nfsdcld remembers clients over a restart.  In a network namespace the kernel knows no other way;
# and when it says that there are none, the server skips its grace period.  The kernel waits one
# second for it and no more: so it must be there, watching its directory, before the server starts.
start_client_tracking() {
  daemon_start storage1 nfsdcld nfsdcld -F -p /run/rpc_pipefs
  # shellcheck disable=SC2016
  eventually 30 on storage1 sh -c 'ls -l "/proc/$(cat /run/nfsdcld.pid)/fd" | grep -q inotify' ||
    lab_fail "nfsdcld does not start"
}
