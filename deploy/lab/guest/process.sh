# shellcheck shell=bash
# The guest as seen from this machine: a tree of processes that ends as a whole.  Sourced by run.sh,
# after a backend (uml.sh, here.sh), which says what to start.

guest_command=() guest_namespaces=()

# start_guest SECONDS
start_guest() {
  # Pipes, so that output streams whatever our standard output is; of a shell, the terminal itself.
  exec 3> >(exec cat)
  output_copy=$!
  if [[ $quiet ]]; then exec 5>/dev/null; else exec 5> >(exec cat >&2); fi
  progress_copy=$!
  exec 4>"$LAB_LOGS/console"
  [[ ! $LAB_SHELL ]] || exec 6<&0 7>&1
  prepare_guest
  # The guest is in a process namespace of its own whose first process is timeout(1).  Whatever ends
  # that (the limit, the guest's own end or, by the parent death signals, the end of unshare or of
  # this script, SIGKILL included) ends all the guest's processes with it.
  setpriv --pdeathsig KILL \
    unshare --pid --mount "${guest_namespaces[@]}" --fork --kill-child=KILL --propagation private \
    timeout --foreground --signal=KILL "$1" "${guest_command[@]}" </dev/null >&4 2>&1 &
  guest=$!
}

# Kills unshare's child, not unshare: that one then ends after the last process of the guest.
stop_guest() {
  [[ ${guest:-} ]] || return 0
  pkill -KILL --parent "$guest" || kill -KILL "$guest" 2>/dev/null
  wait "$guest" 2>/dev/null
}

# Exit status: what the guest left as its own; 124 out of time, 125 it died without one.
wait_for_guest() {
  local ended
  wait "$guest"
  ended=$?
  guest=
  exec 3>&- 4>&- 5>&-                # lets the last output through
  wait "$output_copy" "$progress_copy" 2>/dev/null
  if [[ -s $LAB_RUN/status ]]; then return "$(<"$LAB_RUN/status")"; fi
  tail -n 40 "$LAB_LOGS/console" >&2
  if ((ended == 137 || ended == 124)); then
    echo "lab: killed: the guest did not end by itself" >&2
    return 124
  fi
  echo "lab: the guest died (exit status $ended)" >&2
  return 125
}
