# shellcheck shell=bash
# No guest: the hosts run on this machine's own kernel, in namespaces that end with the run.  Sourced
# by run.sh.

# shellcheck disable=SC2034
LAB_TTY=/dev/fd/3
# shellcheck disable=SC2034
LAB_TTY_PROGRESS=/dev/fd/5

check_backend() {
  [[ ! $LAB_SHELL ]] || usage_error "--shell needs the guest: leave out --no-guest"
  local kind
  for kind in overlay ext4 nfsd nfs; do
    modprobe --quiet "$kind"
    grep -qw "$kind" /proc/filesystems || usage_error "this machine's kernel has no $kind: leave out --no-guest"
  done
}

# shellcheck disable=SC2034
# Sets guest_command and guest_namespaces.
prepare_guest() {
  guest_namespaces=(--net --uts --ipc)
  guest_command=("$LAB_RUN/start" root.sh)
}
