#!/bin/bash
# tests/system/faults/run.sh [--list] [NAME...]: breaks the cluster in the lab in one named way after
# the other (all of tests/system/faults/catalogue, or those whose name contains a NAME). Each time: the
# fault is made, work is submitted, `hostq explain` has to name the right reason and no other; the
# fault is mended; the work has to be done, once, and nothing may be left stuck.
#
# Prints a table: fault, reason expected, reason given, seconds until it was, seconds until the work
# was done after the mending. Ends with "N passed, N failed"; exits 0 only if all passed.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../../.." || exit 1
faults=tests/system/faults

list() {
  local file
  for file in "$faults"/catalogue/*.sh; do
    printf '%-28s %s\n' "$(basename "$file" .sh)" "$(sed -n '2s/^# //p' "$file")"
  done
}

names=()
for argument in "$@"; do
  case $argument in
    -h | --help) sed -n '2,/^set -u/{s/^# \{0,1\}//;/^set -u/d;p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    --list) list; exit 0 ;;
    -*) echo "run.sh: no option '$argument' (see --help)" >&2; exit 2 ;;
    *) names+=("$argument") ;;
  esac
done

chosen=()
for file in "$faults"/catalogue/*.sh; do
  name=$(basename "$file" .sh)
  wanted=$((${#names[@]} == 0))
  for part in "${names[@]}"; do [[ $name == *"$part"* ]] && wanted=1; done
  ((wanted)) && chosen+=("$name")
done
((${#chosen[@]})) || { echo "run.sh: no such fault; there are (--list): $(list | awk '{print $1}' | xargs)" >&2; exit 2; }
exec deploy/lab/run.sh --timeout $((120 + 100 * ${#chosen[@]})) "$faults/in-lab.sh" "${chosen[@]}"
