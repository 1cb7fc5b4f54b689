#!/bin/bash
# A hosting cluster in a box: three machines and a neighbour, in one guest kernel.
#
#   deploy/lab/run.sh [OPTION...] SCRIPT [ARG...]    runs SCRIPT in the lab, exits with its status
#   deploy/lab/run.sh [OPTION...] --shell            a shell in the lab
#
#   storage1  203.0.113.1   file server (ext4 quotas, kernel NFS, rquotad) and hostq's manager
#   web1      203.0.113.2   web server
#   web2      203.0.113.3   web server
#   other1    203.0.113.99  on the same network, not in the cluster
#
# SCRIPT is any executable of this machine.  It runs as root once all nodes are READY, in this
# directory and environment, with standard input from /dev/null, and with these commands in PATH:
#
#   on [-u USER] HOST COMMAND...  runs COMMAND in HOST, as root or as a plain user
#   hostq ...                     the administrator's tool, on storage1
#   daemon HOST agent|manager stop|start|restart|kill|pause|continue|status
#   unplug HOST, plug HOST        takes a host off the network, and back
#   rquotad allow|deny|stop       remote quota changes: permitted, refused, not served
#   nfsd stop|start               the NFS server
#
# The guest is User-Mode Linux, an ordinary process: it needs no hardware virtualization.  It sees
# this machine's file system read-only; what it writes is thrown away, and nothing is left behind.
# Its one exception is the directory of the logs.
#
# Options:
#   --bare            no hostq: only the hosts, the file server and the network
#   --build DIR       the binaries (default: $HOSTQ_BUILD, else build/release/bin)
#   --keep-logs DIR   logs of all daemons and of the guest's kernel (default: a new directory in
#                     build/lab, and the link build/lab/last to it; the last 10 are kept)
#   --no-guest        the same hosts without the guest, on this machine's own kernel, if that has an NFS
#                     server and quotas; in namespaces of their own
#   --memory MIB      of the guest (default 1024)
#   --timeout SECONDS for SCRIPT (default 300); it is then ended, and the status is 124
#   --write DIR       a directory of this machine that the guest may write (may be repeated)
#   --quiet           no progress lines
#
# Exit status: SCRIPT's; 124 SCRIPT ran out of time; 125 the lab failed; 2 wrong usage.
set -u
LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
LAB_ROOT=$(cd "$LAB_DIR/../.." && pwd -P)
# shellcheck source=deploy/lab/guest/process.sh
source "$LAB_DIR/guest/process.sh"

help() { sed -n '2,/^set -u/{s/^# \{0,1\}//p}' "$0"; }
usage_error() { echo "lab: $*; see deploy/lab/run.sh --help" >&2; exit 2; }

LAB_BUILD=${HOSTQ_BUILD:-$LAB_ROOT/build/release/bin}
LAB_BACKEND=uml LAB_BARE='' LAB_SHELL='' LAB_LIMIT=300 LAB_LOGS='' LAB_READ_WRITE=() LAB_SCRIPT=()
memory=1024 quiet=''

parse() {
  while (($#)); do
    case $1 in
      --build | --keep-logs | --memory | --timeout | --write)
        (($# > 1)) || usage_error "$1 needs a value" ;;&
      --build) LAB_BUILD=$2; shift ;;
      --keep-logs) LAB_LOGS=$2; shift ;;
      --memory) memory=$2; shift ;;
      --timeout) LAB_LIMIT=$2; shift ;;
      --write) LAB_READ_WRITE+=("$2"); shift ;;
      --bare) LAB_BARE=1 ;;
      --quiet) quiet=1 ;;
      --no-guest) LAB_BACKEND=here ;;
      --shell) LAB_SHELL=1 ;;
      -h | --help) help; exit 0 ;;
      -*) usage_error "unknown option '$1'" ;;
      *) LAB_SCRIPT=("$@"); break ;;
    esac
    shift
  done
}

check() {
  ((EUID == 0)) || usage_error "run as root"
  [[ $LAB_LIMIT =~ ^[0-9]+$ && $memory =~ ^[0-9]+$ ]] || usage_error "--timeout and --memory are numbers"
  if [[ $LAB_SHELL ]]; then
    ((${#LAB_SCRIPT[@]} == 0)) || usage_error "--shell takes no script"
    [[ -t 0 && -t 1 ]] || usage_error "--shell needs a terminal"
  else
    ((${#LAB_SCRIPT[@]})) || usage_error "no script"
    LAB_SCRIPT[0]=$(realpath -e "${LAB_SCRIPT[0]}") || exit 2
    [[ -x ${LAB_SCRIPT[0]} ]] || usage_error "'${LAB_SCRIPT[0]}' is not executable"
  fi
  [[ $LAB_BARE || -x $LAB_BUILD/hostq-manager ]] ||
    usage_error "no binaries in '$LAB_BUILD': build them, or name their directory with --build"
  local tool
  for tool in busybox rpc.nfsd rpc.rquotad rpcbind ip jq; do
    command -v "$tool" >/dev/null || usage_error "no $tool here: run deploy/dependencies.sh lab first"
  done
  check_backend
}

# The log directory: named by the caller, or a new one beside the last nine.
make_logs() {
  local all=$LAB_ROOT/build/lab
  if [[ ! $LAB_LOGS ]]; then
    mkdir -p "$all"
    LAB_LOGS=$(mktemp -d "$all/$(date +%Y%m%d-%H%M%S).XXXX") || exit 125
    chmod 755 "$LAB_LOGS"
    ln -sfnT "${LAB_LOGS##*/}" "$all/last"
    find "$all" -mindepth 1 -maxdepth 1 -type d -name '2*' | sort | head -n -10 | xargs -r -d '\n' rm -rf
  fi
  mkdir -p "$LAB_LOGS" || exit 125
  LAB_LOGS=$(realpath "$LAB_LOGS")
}

# A run's own directory holds its settings and its status.  That of a run that was killed stays; the
# next run removes it.
make_run_directory() {
  local owner process boot this_boot
  this_boot=$(</proc/sys/kernel/random/boot_id)
  for owner in /tmp/hostq-lab.*/owner; do
    read -r process boot <"$owner" || continue
    [[ $boot != "$this_boot" ]] || kill -0 "$process" 2>/dev/null || rm -rf "${owner%/owner}"
  done 2>/dev/null
  LAB_RUN=$(mktemp -d /tmp/hostq-lab.XXXXXX) || exit 125
  echo "$$ $this_boot" >"$LAB_RUN/owner"
}

# What the guest must know, in files that bash reads: any path and any argument pass unharmed.
write_settings() {
  local directory
  LAB_START=$EPOCHREALTIME LAB_PWD=$PWD LAB_READ_ONLY=() LAB_TERMINAL_SIZE=''
  [[ ! $LAB_SHELL ]] || LAB_TERMINAL_SIZE=$(stty size)
  for directory in "${!LAB_READ_WRITE[@]}"; do
    LAB_READ_WRITE[directory]=$(realpath -e "${LAB_READ_WRITE[directory]}") || exit 2
  done
  LAB_READ_WRITE+=("$LAB_LOGS")
  if [[ $LAB_BARE ]]; then LAB_BUILD=$LAB_ROOT; else LAB_BUILD=$(realpath "$LAB_BUILD"); fi
  # Shortest first: a parent comes before its children.
  mapfile -t LAB_READ_ONLY < <(
    printf '%s\n' "$LAB_ROOT" "$LAB_BUILD" "$PWD" "$(dirname "${LAB_SCRIPT[0]-/}")" |
      awk '{ print length, $0 }' | sort -nu | sed 's/^[0-9]* //')
  (set -o posix; export -p) >"$LAB_RUN/environment"      # "export X=...", also in a function
  {
    echo '#!/bin/bash'
    declare -p LAB_BACKEND LAB_DIR LAB_ROOT LAB_RUN LAB_LOGS LAB_BUILD LAB_BARE LAB_SHELL LAB_LIMIT LAB_PWD LAB_START \
      LAB_SCRIPT LAB_READ_ONLY LAB_READ_WRITE LAB_TTY LAB_TTY_PROGRESS LAB_TERMINAL_SIZE
    # shellcheck disable=SC2016
    echo 'source "$LAB_DIR/guest/${1:-init-uml.sh}"'
  } >"$LAB_RUN/start"
  chmod +x "$LAB_RUN/start"
}

# shellcheck disable=SC2317
clean_up() {
  stop_guest
  [[ ! ${terminal:-} ]] || stty "$terminal"
  rm -rf "$LAB_RUN"
}

main() {
  parse "$@"
  # shellcheck source=/dev/null
  source "$LAB_DIR/guest/$LAB_BACKEND.sh"
  check
  make_logs
  make_run_directory
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  write_settings
  [[ ! $LAB_SHELL ]] || terminal=$(stty -g)
  start_guest "$((LAB_LIMIT + 90))"
  wait_for_guest
  local status=$?
  ((status == 0)) || echo "lab: exit status $status; logs are in $LAB_LOGS" >&2
  exit "$status"
}

main "$@"
