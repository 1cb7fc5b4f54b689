#!/bin/bash
# tests/system/faults/run.sh [--list] [--labs N] [NAME...]: breaks the cluster in the lab in one named
# way after the other (all of tests/system/faults/catalogue, or those whose name contains a NAME). Each
# time: nothing names the reason yet; the fault is made, work is submitted, `hostq explain` or `hostq
# stuck` has to name the right reason and no other within 10 s; the fault is mended; the work has to be
# done, once, and nothing may be left stuck.
#
#   --list     the faults and what they are
#   --labs N   so many labs at once (2, if there are as many processors), each with its part of the faults
#
# Prints a table: fault, reason expected, reason given, seconds until it was, seconds until the work
# was done after the mending, seconds of the whole. Ends with "N passed, N failed"; exits 0 only if all
# passed.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../../.." || exit 1
faults=tests/system/faults
labs=$(($(nproc) > 1 ? 2 : 1))

list() {
  local file
  for file in "$faults"/catalogue/*.sh; do
    printf '%-28s %s\n' "$(basename "$file" .sh)" "$(sed -n '2s/^# //p' "$file")"
  done
}

names=()
while (($#)); do
  case $1 in
    -h | --help) sed -n '2,/^set -u/{s/^# \{0,1\}//;/^set -u/d;p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    --list) list; exit 0 ;;
    --labs)
      [[ ${2-} =~ ^[1-9]$ ]] || { echo "run.sh: --labs needs a number" >&2; exit 2; }
      labs=$2
      shift
      ;;
    -*) echo "run.sh: no option '$1' (see --help)" >&2; exit 2 ;;
    *) names+=("$1") ;;
  esac
  shift
done

chosen=()
for file in "$faults"/catalogue/*.sh; do
  name=$(basename "$file" .sh)
  wanted=$((${#names[@]} == 0))
  for part in "${names[@]}"; do [[ $name == *"$part"* ]] && wanted=1; done
  ((wanted)) && chosen+=("$name")
done
((${#chosen[@]})) || { echo "run.sh: no such fault; there are (--list): $(list | awk '{print $1}' | xargs)" >&2; exit 2; }
# Another lab takes longer to start than a few faults take.
((labs <= (${#chosen[@]} + 3) / 4)) || labs=$(((${#chosen[@]} + 3) / 4))

# The faults number N, N + LABS, ... in a lab of their own.
lab() { # N
  local mine=() i
  for ((i = $1; i < ${#chosen[@]}; i += labs)); do mine+=("${chosen[i]}"); done
  deploy/lab/run.sh --quiet --timeout $((120 + 100 * ${#mine[@]})) "$faults/in-lab.sh" "${mine[@]}" 2>&1
}

printf '%-26s %-30s %-30s %7s %7s %7s\n' FAULT EXPECTED GIVEN SECONDS CURED WHOLE
passed=0
while IFS= read -r line; do
  if [[ $line =~ ^([0-9]+)\ passed,\ [0-9]+\ failed$ ]]; then
    passed=$((passed + BASH_REMATCH[1]))
  elif [[ $line ]]; then
    printf '%s\n' "$line"
  fi
done < <(for ((n = 0; n < labs; ++n)); do lab "$n" & done; wait)
printf '\n%d passed, %d failed\n' "$passed" $((${#chosen[@]} - passed))
((passed == ${#chosen[@]}))
