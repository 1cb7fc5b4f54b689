#!/bin/bash
# tests/simulation/run.sh [--seeds N] [--from SEED] [--jobs N] [--trace N]: builds the simulation as
# it is shipped and runs N seeds (1000) from SEED (1), as --jobs processes side by side (1). A seed
# that finds a violation is printed with its last --trace events and the command that replays it.
# The long run is --seeds 100000 --jobs 2.
#
# Ends with "N passed, N failed"; exits 0 only if every seed passed.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
seeds=1000 from=1 jobs=1 trace=40

usage() { sed -n '2,/^set -u/{s/^# \{0,1\}//;/^set -u/d;p}' "${BASH_SOURCE[0]}"; }

while (($#)); do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --seeds | --from | --jobs | --trace)
      [[ ${2-} =~ ^[1-9][0-9]*$ ]] || { echo "run.sh: $1 needs a number above 0" >&2; exit 2; }
      printf -v "${1#--}" '%s' "$2"
      shift
      ;;
    *) echo "run.sh: no option '$1' (see --help)" >&2; exit 2 ;;
  esac
  shift
done

mkdir -p build/simulation
{ cmake --preset release && cmake --build --preset release -j 2 --target hostq_simulation; } \
  >build/simulation/build.log 2>&1 || { tail -n 40 build/simulation/build.log; echo "0 passed, 1 failed"; exit 1; }

each=$(((seeds + jobs - 1) / jobs))
pids=()
for ((job = 0; job < jobs; ++job)); do
  count=$((seeds - job * each < each ? seeds - job * each : each))
  ((count > 0)) || break
  build/release/tests/hostq_simulation --seeds "$count" --from $((from + job * each)) --trace "$trace" \
    >"build/simulation/$job.log" 2>&1 &
  pids+=($!)
done
passed=0 failed=0
for job in "${!pids[@]}"; do
  wait "${pids[job]}"
  status=$?
  log=build/simulation/$job.log
  # One that dies is a failure, whatever it has counted.
  read -r p f < <(tail -n 1 "$log" | awk '/^[0-9]+ passed, [0-9]+ failed$/ { print $1, $3; ok = 1 } END { if (!ok) print 0, 1 }')
  ((status != 0 && f == 0)) && f=1
  passed=$((passed + p)) failed=$((failed + f))
  grep -v '^[0-9]* passed, ' "$log"
done
echo "$passed passed, $failed failed"
((failed == 0 && passed > 0))
