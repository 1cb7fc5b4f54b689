#!/bin/bash
# From a fresh Debian 12 to the main job, run on a cluster of three machines in the lab.
#
#   deploy/quickstart.sh [--no-install]
#
#   1  installs the packages that are missing (deploy/dependencies.sh build lab)
#   2  builds hostq into build/release
#   3  runs tests/system/main-job.sh in the lab (deploy/lab/run.sh)
#
#   --no-install   leaves the packages alone
#
# It changes nothing else on this machine and leaves no process, mount or address behind.  Runs as
# root.  Exit status 0 only if every check of the main job held.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
log=$root/build/quickstart.log

help() { sed -n '2,/^set -u/{s/^# \{0,1\}//p}' "$0"; }

# phase NUMBER WHAT COMMAND...: one line before, one after with the time it took.
phase() {
  local start=$SECONDS
  echo "[$1/3] $2 ..."
  if "${@:3}"; then
    echo "[$1/3] $2: done in $((SECONDS - start)) s"
  else
    echo "[$1/3] $2: failed after $((SECONDS - start)) s" >&2
    exit 1
  fi
}

# in_log COMMAND...: its output goes to the log; every 15 s a line says how far ninja is.
in_log() {
  local pid ticks=0
  "$@" >>"$log" 2>&1 &
  pid=$!
  while sleep 1 && kill -0 "$pid" 2>/dev/null; do
    ((++ticks % 15)) || echo "      $(grep -oE '^\[[0-9]+/[0-9]+\]' "$log" | tail -n 1)"
  done
  wait "$pid" && return
  tail -n 30 "$log" >&2
  echo "quickstart: the whole log is in $log" >&2
  return 1
}

configure_and_build() {
  mkdir -p "$root/build"
  : >"$log"
  cd "$root" || return
  in_log cmake --preset release &&
    in_log cmake --build --preset release --target hostq hostq-manager hostq-agent hostq-executor
}

main() {
  local install=1
  case ${1:-} in
    --no-install) install='' ;;
    -h | --help) help; exit 0 ;;
    '') ;;
    *) echo "quickstart: unknown argument '$1'; see --help" >&2; exit 2 ;;
  esac
  if ((EUID != 0)); then echo "quickstart: run as root" >&2; exit 2; fi
  [[ ! $install ]] || phase 1 "packages" "$root/deploy/dependencies.sh" build lab
  phase 2 "building hostq" configure_and_build
  phase 3 "the main job, in the lab" "$root/deploy/lab/run.sh" "$root/tests/system/main-job.sh"
  echo "quickstart: all of it took $SECONDS s.  deploy/lab/run.sh --shell gives you the cluster."
}

main "$@"
