#!/bin/bash
# Runs in the guest: makes the hosts, starts hostq on them, runs the script or the shell.  Exit
# status: the script's; 124 out of time; 125 the lab itself failed.  The caller has sourced the
# run's settings.
#
# File descriptor 3 is the terminal of the script's output, 4 that of the lab's own words.
set -u
exec 3<>"$LAB_TTY" 4>"$LAB_TTY_PROGRESS"
if [[ $LAB_BACKEND == here ]]; then
  :                                      # pipes: nothing to set
elif [[ $LAB_SHELL ]]; then
  # The person's own terminal is raw now, and this end does the terminal's work.
  stty sane <&3
  stty raw -echo opost onlcr <&4
else
  stty raw -echo -opost <&3
  stty raw -echo -opost <&4
fi
exec 1>&4 2>&4

# shellcheck source=deploy/lab/lib.sh
source "$LAB_DIR/lib.sh"
# shellcheck source=deploy/lab/hosts.sh
source "$LAB_DIR/hosts.sh"
# shellcheck source=deploy/lab/storage.sh
source "$LAB_DIR/storage.sh"
# shellcheck source=deploy/lab/hostq.sh
source "$LAB_DIR/hostq.sh"

# State that explains a failure, into the logs.
record_state() {
  local host
  ps -eo pid,ppid,uid,stat,wchan:20,args --forest >"$LAB_LOGS/processes"
  for host in "$LAB_HOSTS"/*; do
    host=${host##*/}
    on "$host" sh -c 'ip addr; ip neigh; cat /proc/self/mountinfo' >"$LAB_LOGS/$host/state" 2>&1
  done
}

# Lets the last output through before the guest's power goes.
finish() {
  local tty
  for tty in 3 4; do stty raw <&$tty 2>/dev/null; done
  exit "$1"
}

phase() { # WHAT COMMAND...
  local hundredths
  if ! "${@:2}"; then
    echo "lab: failed: $1; the logs' last lines:"
    tail -n 5 "$LAB_LOGS"/*/*.log
    record_state
    finish 125
  fi
  hundredths=$(((${EPOCHREALTIME/./} - ${LAB_START/./}) / 10000))
  printf 'lab: %s after %d.%02d s\n' "$1" $((hundredths / 100)) $((hundredths % 100))
}

# The logs are kept also if the guest is killed: what is written reaches the machine in 2 s.
keep_logs() { while sleep 2; do sync -f "$LAB_LOGS"; done; }

# The caller's environment and directory, and the lab's commands first in PATH.
enter_environment() {
  # shellcheck source=/dev/null
  source "$LAB_RUN/environment"
  export PATH=$LAB_DIR/bin:$PATH LAB_DIR LAB_ROOT LAB_LOGS LAB_BUILD
  cd "$LAB_PWD" 2>/dev/null || cd /
}

# SCRIPT's output is a pipe, not the terminal: programs then print no colours and redraw nothing.
run_script() {
  local copy status start=$SECONDS
  exec 5> >(exec cat >&3)
  copy=$!
  (
    enter_environment
    exec timeout --kill-after=10 "$LAB_LIMIT" "${LAB_SCRIPT[@]}" </dev/null >&5 2>&5 3>&- 4>&- 5>&-
  )
  status=$?
  exec 5>&-
  eventually 2 process_gone "$copy"         # longer only if the script left a process that can write
  ((status != 137 || SECONDS - start < LAB_LIMIT)) || status=124        # it had to be killed
  return "$status"
}

run_shell() (
  enter_environment
  export TERM=${TERM:-linux}
  stty rows "${LAB_TERMINAL_SIZE% *}" cols "${LAB_TERMINAL_SIZE#* }" <&3
  exec setsid --ctty --wait bash --rcfile "$LAB_DIR/guest/shellrc" -i <&3 >&3 2>&3 4>&-
)

keep_logs &
[[ $LAB_BARE ]] || install_hostq || finish 125
phase "hosts are up" make_hosts
phase "quotas are on" make_share
phase "NFS is served" start_file_server
[[ $LAB_BARE ]] || phase "hostq runs, all nodes are READY" start_hostq
if [[ $LAB_SHELL ]]; then run_shell; else run_script; fi
status=$?
((status == 0)) || record_state
finish "$status"
