# shellcheck shell=bash
# The guest as User-Mode Linux, an ordinary process that boots from this machine's root file system.
# Sourced by run.sh.
#
# /dev/kvm is not used: a machine that has it may still be without hardware virtualization, and the
# guest then dies in the middle of its boot.

# shellcheck disable=SC2034
LAB_TTY=/dev/tty1                  # the guest's side of SCRIPT's output
# shellcheck disable=SC2034
LAB_TTY_PROGRESS=/dev/tty2         # ... of the lab's own words

check_backend() {
  command -v linux.uml >/dev/null || usage_error "no linux.uml here: run deploy/dependencies.sh lab first"
}

# Sets processor: one that no other lab has taken.  Its lock goes with this run's last process.
#
# All of the guest's processes run on one: each system call and page fault of the guest is two
# switches between processes of this machine, and waking one on another processor costs 5 to 10
# times as much.
choose_processor() {
  local allowed=() first last lock
  while IFS=- read -r first last; do
    mapfile -t -O "${#allowed[@]}" allowed < <(seq "$first" "${last:-$first}")
  done < <(taskset -pc $$ | sed 's/.*: //' | tr , '\n')
  for processor in "${allowed[@]}"; do
    { exec {lock}<"/sys/devices/system/cpu/cpu$processor"; } 2>/dev/null || continue
    ! flock --nonblock "$lock" || return
    exec {lock}<&-
  done
}

# shellcheck disable=SC2054
# Sets guest_command and guest_namespaces.  Guest memory is a deleted file in TMPDIR, which must be a
# tmpfs without noexec: a private one.
prepare_guest() {
  local output=null,fd:3
  [[ ! $LAB_SHELL ]] || output=fd:6,fd:7
  choose_processor
  mkdir "$LAB_RUN/uml"
  guest_namespaces=()
  guest_command=(
    sh -c 'mount -t tmpfs -o mode=1777 tmpfs /dev/shm && exec "$@"' sh
    env TMPDIR=/dev/shm taskset -c "$processor"
    linux.uml "mem=${memory}M" root=/dev/root rootfstype=hostfs rootflags=/ ro "init=$LAB_RUN/start"
    con=null con0=null,fd:4 "con1=$output" con2=null,fd:5 ssl=null
    "uml_dir=$LAB_RUN/uml" umid=lab panic=-1 quiet loglevel=4
  )
}
