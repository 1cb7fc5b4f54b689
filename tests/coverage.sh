#!/bin/bash
# tests/coverage.sh [--seeds N] [--report]: builds the core instrumented, runs its tests and N seeds
# (100) of the simulation, and reports which lines ran, for each folder; fails if one of the folders
# below is under its floor. What did not run there is listed; that of all folders is in
# build/coverage/uncovered.txt. --report: only counts what was run before.
#
# Ends with "N passed, N failed": one check a folder that has a floor.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
declare -A floors=([manager/domain]=95 [manager/engine]=95) # per cent of lines
build=build/coverage seeds=100 report=''

usage() { sed -n '2,/^set -u/{s/^# \{0,1\}//;/^set -u/d;p}' "${BASH_SOURCE[0]}"; }
fail() { echo "coverage.sh: $1" >&2; echo "0 passed, 1 failed"; exit 1; }

while (($#)); do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --seeds)
      [[ ${2-} =~ ^[1-9][0-9]*$ ]] || { echo "coverage.sh: $1 needs a number above 0" >&2; exit 2; }
      seeds=$2
      shift
      ;;
    --report) report=1 ;;
    *) echo "coverage.sh: no option '$1' (see --help)" >&2; exit 2 ;;
  esac
  shift
done

run_tests() {
  cmake --preset coverage && cmake --build --preset coverage -j 2 || return 1
  find "$build" -name '*.gcda' -delete # of the run before
  HOSTQ_SIMULATION_SEEDS=$seeds ctest --preset coverage
}

# "FILE LINE COUNT" of every line of ours, from every object it was compiled into.
counts() {
  local ours='^(agent|common|manager)/'
  find "$build" -name '*.gcda' -print0 |
    xargs -0 -n 20 gcov --json-format --stdout 2>>"$build/gcov.log" |
    jq -r --arg root "$PWD/" --arg ours "$ours" '
      .files[] | (.file | ltrimstr($root) | sub("^(\\.\\./)+"; "")) as $file
      | select($file | test($ours)) | .lines[] | "\($file) \(.line_number) \(.count)"'
}

# From these, "FOLDER LINES COVERED" for each folder, and to uncovered.txt "FILE: 12 14-18".
summary() {
  awk '{ count[$1 " " $2] += $3 } END { for (line in count) print line, count[line] }' |
    sort -k1,1 -k2,2n |
    awk -v missing="$build/uncovered.txt" '
      function flush() {
        if (first) ranges = ranges " " (first == last ? first : first "-" last)
        first = 0
      }
      function end_file() { flush(); if (ranges) print file ":" ranges >missing; ranges = "" }
      $1 != file { end_file(); file = $1; folder = file; sub("/[^/]*$", "", folder) }
      { ++lines[folder]; if ($3) { ++covered[folder]; flush() } else { if (!first) first = $2; last = $2 } }
      END { end_file(); for (f in lines) print f, lines[f], covered[f] + 0 }' | sort
}

mkdir -p "$build"
[[ $report ]] || run_tests >"$build/run.log" 2>&1 ||
  { tail -n 40 "$build/run.log"; fail "the build or a test failed; whole log: $build/run.log"; }
: >"$build/uncovered.txt"
counts | summary >"$build/summary.txt"
[[ -s $build/summary.txt ]] || fail "no figures; see $build/gcov.log"

passed=0 failed=0
printf '%-22s %8s %8s %7s\n' FOLDER LINES COVERED '%'
while read -r folder lines covered; do
  percent=$(awk -v a="$covered" -v b="$lines" 'BEGIN { printf "%.1f", 100 * a / b }')
  floor=${floors[$folder]-}
  verdict=''
  if [[ $floor ]]; then
    unset "floors[$folder]"
    if ((100 * covered >= floor * lines)); then
      ((++passed)); verdict="ok: at least $floor"
    else
      ((++failed)); verdict="FAILED: less than $floor"
    fi
  fi
  printf '%-22s %8d %8d %7s  %s\n' "$folder" "$lines" "$covered" "$percent" "$verdict"
done <"$build/summary.txt"
for folder in "${!floors[@]}"; do # not there at all
  ((++failed)); echo "$folder: no figures"
done
echo "not run:"
grep -E '^manager/(domain|engine)/' "$build/uncovered.txt" | sed 's/^/  /'
echo "$passed passed, $failed failed"
((failed == 0 && passed > 0))
