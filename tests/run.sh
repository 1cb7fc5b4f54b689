#!/bin/bash
# tests/run.sh [TIER...]: installs what is missing, builds, and runs the tiers of tests named; without
# a name those that everything has to pass before it lands; "all" is every one. Ends with "N passed,
# N failed" and exits 0 only if everything passed.
#
#   format       clang-format, shellcheck; whether what is generated in the documents is up to date
#   programs     builds what is shipped, as it is shipped: how it is hardened; the rules of the source tree; every
#                moment at which power may be lost; a thousand seeds of the simulation
#   system       the main job on three hosts in the lab: real NFS, quotas, addresses; XFS;
#                what nodes keep; a node that joins; the balancer; exports; hooks with nginx; what the policy
#                forbids; who may do what (trust); what cannot be ended; resync
#   faults       the cluster in the lab broken in every way of tests/system/faults: named, mended, done
#   rest         the HTTPS port of a real manager: docs/openapi.yaml against the server, events, sessions
#   examples     every example of docs/integrate.md, and the integrations of deploy/integrations
#   browser      the dashboard in headless Chromium against a real manager (tests/browser/run.sh)
#   monitoring   what Prometheus is told: alerts case by case, a running manager's page, a real Prometheus that
#                reads it, and one command followed through the logs by its trace (tests/monitoring/run.sh)
#   crash        the real programs: killed at random moments and at every named point under load; on
#                disks that are full or read-only, with databases that are damaged
#   hostile      attacks on a running manager, on every port (tests/hostile/run.sh); and a search for
#                every secret of a run in all it leaves behind
#   asan         unit, contract and integration tests and some seeds of the simulation, all with
#                AddressSanitizer, UndefinedBehaviorSanitizer and clang's thread-safety analysis
#   fuzz         every fuzzer for 5 s, on what was built for asan (tests/fuzz/run.sh)
#   tsan         the core (what links no gRPC) with ThreadSanitizer
#   mutations    whether the simulation finds three bugs of its collection (tests/simulation/mutations.sh
#                has all of them)
#
# Only in "all", because there is no time for them each time (docs/decisions/0017):
#
#   coverage     which lines of the core its tests and the simulation run (tests/coverage.sh)
#   tidy         clang-tidy over every file
#   release      the tests of asan once more, compiled as what is shipped
#
# The output of each tier is kept in build/test-logs/TIER.log.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
tiers_to_land=(format programs system faults rest examples browser monitoring crash hostile asan fuzz tsan mutations)
all_tiers=("${tiers_to_land[@]}" coverage tidy release)
logs=build/test-logs
passed=0 failed=0

usage() { sed -n '2,/^set -u/{s/^# \{0,1\}//;/^set -u/d;p}' "${BASH_SOURCE[0]}"; }

tier_format() {
  local bad=0
  git ls-files -z '*.cc' '*.h' | xargs -0 -P 2 -n 40 clang-format --dry-run -Werror || bad=1
  git ls-files -z '*.sh' '.ci/run' 'deploy/hooks/*/*' | xargs -0 shellcheck -x || bad=1
  tests/system/faults/table.sh --check || bad=1
  docs/openapi/generate.py --check || bad=1
  return $bad
}

build_and_test() { # PRESET
  cmake --preset "$1" && cmake --build --preset "$1" && ctest --preset "$1"
}
# Tests that say little more with sanitizers, and take ten times as long.
tests_of_programs='^(hardening|lint_test|power_loss_test|simulation)$'
tier_programs() {
  cmake --preset release &&
    cmake --build --preset release --target hostq_programs lint_test power_loss_test hostq_simulation &&
    ctest --preset release -R "$tests_of_programs"
}
tier_release() { build_and_test release; }
tier_asan() {
  cmake --preset asan && cmake --build --preset asan &&
    HOSTQ_SIMULATION_SEEDS=40 ctest --preset asan -E '^(lint_test|power_loss_test)$'
}
tier_tsan() {
  cmake --preset tsan && cmake --build --preset tsan &&
    HOSTQ_SIMULATION_SEEDS=40 ctest --preset tsan -E '^lint_test$'
}
tier_coverage() { tests/coverage.sh; }
tier_fuzz() { tests/fuzz/run.sh --seconds 5; }
tier_mutations() { tests/simulation/mutations.sh --seeds 300 01- 05- 12-; }

tier_tidy() {
  cmake --preset dev && cmake --build --preset dev --target hostq_proto hostq_proto_grpc || return 1
  tests/lint/tidy.sh build/dev
}

# Each of these is told of the programs, and needs no other build.
tier_crash() {
  local bad=0
  need_programs || return
  tests/crash/run.sh --no-build || bad=1
  tests/crash/recovery.sh --no-build || bad=1
  return $bad
}
tier_hostile() {
  local bad=0
  need_programs || return
  tests/hostile/run.sh --no-build --verbose || bad=1
  tests/hostile/run.sh --no-build --secrets || bad=1
  return $bad
}
tier_rest() { need_programs && tests/integration/rest.sh --no-build; }
tier_monitoring() { need_programs && tests/monitoring/run.sh --no-build; }
tier_examples() { need_programs && tests/integration/examples.sh --no-build; }
tier_browser() { tests/browser/run.sh; }

need_programs() {
  cmake --preset release >/dev/null && cmake --build --preset release --target hostq_programs | tail -n 1
}

# While the labs run, which leave a third of two processors: builds what asan needs, with what is left. Where the
# kernel groups processes by session, the least priority has to be that of the session (sched(7)); where it
# cannot be, nothing is built ahead. It is ended before anything else runs, in which a moment may count.
build_ahead() {
  [[ -w /proc/self/autogroup ]] || return 0
  # shellcheck disable=SC2016
  setsid bash -c 'echo 19 >/proc/self/autogroup && renice -n 19 $$ >/dev/null &&
    cmake --preset asan && exec cmake --build --preset asan -j 2' >"$logs/ahead.log" 2>&1 &
  ahead=$!
}
end_building_ahead() {
  [[ $ahead ]] || return 0
  kill -- "-$ahead" 2>/dev/null
  wait "$ahead" 2>/dev/null
  ahead=''
}

run_story() { # STORY LOGS
  local log=$2/story-$1.log status=0
  deploy/lab/run.sh --timeout 600 "tests/system/$1.sh" >"$log" 2>&1 || status=$?
  printf 'story %s: exit status %d after %d s\n' "$1" "$status" "$SECONDS" >>"$log"
  return "$status"
}

# Two labs side by side: most of a story is waiting.
tier_system() {
  need_programs || return
  local story bad=0
  local -a stories=(wedged main-job quotas upkeep join balancer exports hooks policy resync trust)
  export -f run_story
  # shellcheck disable=SC2016
  printf '%s\n' "${stories[@]}" | xargs -P 2 -I{} bash -c 'run_story {} "$0"' "$logs" || bad=1
  for story in "${stories[@]}"; do cat "$logs/story-$story.log"; done
  return $bad
}

tier_faults() {
  need_programs || return
  tests/system/faults/run.sh
}

# Adds what a tier's log says was run: ctest's summary, lines "N passed, N failed", else the tier
# itself counts as one.
count() { # LOG STATUS
  local p f
  read -r p f < <(awk '
    /tests passed, [0-9]+ tests failed out of [0-9]+/ { f += $4; p += $NF - $4; seen = 1 }
    /^[0-9]+ passed, [0-9]+ failed$/ { p += $1; f += $3; seen = 1 }
    END { if (seen) print p + 0, f + 0; else print "none" }' "$1")
  [[ $p == none ]] && { p=0 f=0; (($2 == 0)) && p=1; }
  (($2 != 0 && f == 0)) && f=1
  passed=$((passed + p)) failed=$((failed + f))
  echo "$p passed, $f failed"
}

run_tier() { # TIER
  local tier=$1 log=$logs/$1.log start=$SECONDS status
  printf '== %s\n' "$tier"
  "tier_$tier" >"$log" 2>&1
  status=$?
  ((status == 0)) || { grep -E '^(  FAIL|FAIL|story )|  FAIL: ' "$log"; tail -n 60 "$log"; echo "-- whole log: $log"; }
  # Not in a pipe: count adds to the totals.
  count "$log" "$status" >"$logs/count"
  printf '   %s: %s in %d s\n' "$tier" "$(<"$logs/count")" $((SECONDS - start))
}

tiers=()
for argument in "$@"; do
  case $argument in
    -h | --help) usage; exit 0 ;;
    all) tiers+=("${all_tiers[@]}") ;;
    *)
      [[ " ${all_tiers[*]} " == *" $argument "* ]] ||
        { echo "tests/run.sh: no tier '$argument'; there are: ${all_tiers[*]}, and all" >&2; exit 2; }
      tiers+=("$argument")
      ;;
  esac
done
((${#tiers[@]})) || tiers=("${tiers_to_land[@]}")

deploy/dependencies.sh test || { echo "tests/run.sh: cannot install what the tests need" >&2; exit 1; }
mkdir -p "$logs"
ahead=''
trap end_building_ahead EXIT
for tier in "${tiers[@]}"; do
  case $tier in
    system | faults) [[ $ahead || " ${tiers[*]} " != *' asan '* ]] || { need_programs >/dev/null 2>&1 && build_ahead; } ;;
    *) end_building_ahead ;;
  esac
  run_tier "$tier"
done
printf '== %d s in all\n' "$SECONDS"
echo "$passed passed, $failed failed"
((failed == 0 && passed > 0))
