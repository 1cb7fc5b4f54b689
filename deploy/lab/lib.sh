# shellcheck shell=bash
# What a script in the lab can do to its hosts.  The commands in bin/ call these functions; a bash
# script may also source this file and save a process for each call.
#
# Every host is a set of namespaces pinned by files: net, mnt, uts and pid below $LAB_HOSTS/HOST.

LAB_HOSTS=/run/lab
LAB_QUORUM=203.0.113.1             # storage1: file server and manager

lab_fail() { echo "lab: $*" >&2; return 1; }

# on [-u USER] HOST COMMAND...: runs COMMAND in HOST, in /, with the standard PATH; as root, or as a
# plain user, whom quotas bind (root is never limited).
on() {
  local user=()
  if [[ $1 == -u ]]; then
    user=(setpriv --reuid="$2" --regid="$2" --clear-groups --)
    shift 2
  fi
  local dir=$LAB_HOSTS/$1
  shift
  [[ -d $dir ]] || { lab_fail "no host '${dir##*/}'; there are: $(ls "$LAB_HOSTS")"; return 2; }
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    nsenter --net="$dir/net" --mount="$dir/mnt" --uts="$dir/uts" --pid="$dir/pid" -- "${user[@]}" "$@"
}

# eventually SECONDS COMMAND...: until COMMAND succeeds.  Its output is dropped.
eventually() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || return 1
    sleep 0.1
  done
}

process_gone() { ! kill -0 "$1"; } # PID, as this script sees it

# unplug HOST pulls its cable out of the switch: its own link stays up, nothing arrives.
# plug HOST puts it in again.
unplug() { ip link set "to-$1" nomaster; }
plug() { ip link set "to-$1" master lab; }

# ---- Daemons: one log /var/log/NAME.log and one /run/NAME.pid in their host --------------------

daemon_start() { # HOST NAME COMMAND...
  local host=$1 name=$2
  shift 2
  # shellcheck disable=SC2016
  on "$host" sh -c 'name=$1; shift
    setsid "$@" </dev/null >>"/var/log/$name.log" 2>&1 & echo $! >"/run/$name.pid"' sh "$name" "$@"
}

daemon_signal() { # HOST NAME SIGNAL
  # shellcheck disable=SC2016
  on "$1" sh -c '{ kill "-$2" "$(cat "/run/$1.pid")"; } 2>/dev/null' sh "$2" "$3"
}

daemon_running() { daemon_signal "$1" "$2" 0; } # HOST NAME

# Gone when this returns; by SIGKILL if it takes more than 10 s.
daemon_stop() { # HOST NAME
  daemon_signal "$1" "$2" TERM || return 0
  eventually 10 daemon_gone "$1" "$2" || { daemon_signal "$1" "$2" KILL; eventually 5 daemon_gone "$1" "$2"; }
}

daemon_gone() { ! daemon_running "$1" "$2"; } # HOST NAME

# ---- The file server ---------------------------------------------------------------------------

# rquotad allow|deny|stop: remote quota changes are permitted, refused, not served at all.
rquotad() {
  case ${1:-} in
    allow | deny | stop) ;;
    *) lab_fail "usage: rquotad allow|deny|stop"; return 2 ;;
  esac
  daemon_stop storage1 rpc.rquotad
  case $1 in
    allow) daemon_start storage1 rpc.rquotad rpc.rquotad -F -S ;;
    deny) daemon_start storage1 rpc.rquotad rpc.rquotad -F ;;
    stop) on storage1 rpcinfo -d rquotad 2 2>/dev/null; return 0 ;;
  esac
  eventually 30 on storage1 rpcinfo -u "$LAB_QUORUM" rquotad 2 || lab_fail "rpc.rquotad does not answer"
}

# nfsd stop|start: the kernel's NFS server.  Hard mounts on the nodes wait while it is stopped.
nfsd() {
  case ${1:-} in
    stop) on storage1 rpc.nfsd 0 ;;
    start)
      # Grace and lease: 90 s by default, 10 s at least; they can be set only while it is stopped.
      on storage1 sh -c 'echo 10 >/proc/fs/nfsd/nfsv4gracetime
        echo 10 >/proc/fs/nfsd/nfsv4leasetime; exec rpc.nfsd 4' ;;
    *) lab_fail "usage: nfsd stop|start"; return 2 ;;
  esac
}
