#!/bin/bash
# tests/fuzz/run.sh [--seconds N] [--executions N] [--target NAME]... [--jobs N] [--fast]: builds the
# fuzzers (clang, libFuzzer, AddressSanitizer, UndefinedBehaviorSanitizer) and runs each for N seconds
# (5) or, if given, N executions; only the targets named, --jobs of them side by side (1). --fast
# builds them without the sanitizers and optimized: only crashes and broken checks are seen, but in
# several times as many executions. Corpora grow in build/fuzz/corpus and are used again. What is
# found is kept in build/fuzz/found/TARGET: mend it and copy the input to tests/fuzz/corpus/TARGET,
# where every build tries it (docs/fuzzing.md).
#
# Targets:
#   agent_message    what a node sends: session conversions, engine, queue, cluster
#   manager_message  what a manager and the executor send: session, task runner, plans of steps
#   journal_rows     what is in the agent's journal when it starts
#   frames           the stream between agent and executor
#   command_spec     what a client asks for: planned by the cluster, and again by an agent
#   configuration    configuration files of manager and agent
#   credentials      texts of API keys, scopes, ranges of addresses
#   enrollment       tokens, pins, requests for certificates, certificates
#   host             the kernel's list of mounts, datagrams of rquotad and rpcbind
#   renewal          requests for another certificate
#   http_request     requests over HTTPS, behind the parser of HTTP
#   page_token       page tokens of the API
#   values           sizes, spans, times, ids, names, addresses, paths; text that is cut
#
# Prints for each target: executions, how many a second, coverage, features, and what was found. Ends
# with "N passed, N failed"; exits 0 only if nothing was found.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
seconds=5 executions='' jobs=1 preset=asan targets=()
mapfile -t all_targets < <(sed -n '/^# Targets:/,/^#$/s/^#   \([a-z_]*\) .*/\1/p' "${BASH_SOURCE[0]}")

usage() { sed -n '2,/^set -u/{s/^# \{0,1\}//;/^set -u/d;p}' "${BASH_SOURCE[0]}"; }

while (($#)); do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --fast) preset=fuzz-fast ;;
    --seconds | --executions | --jobs)
      [[ ${2-} =~ ^[1-9][0-9]*$ ]] || { echo "run.sh: $1 needs a number above 0" >&2; exit 2; }
      printf -v "${1#--}" '%s' "$2"
      shift
      ;;
    --target)
      [[ " ${all_targets[*]} " == *" ${2-} "* ]] ||
        { echo "run.sh: no target '${2-}'; there are: ${all_targets[*]}" >&2; exit 2; }
      targets+=("$2")
      shift
      ;;
    *) echo "run.sh: no option '$1' (see --help)" >&2; exit 2 ;;
  esac
  shift
done
((${#targets[@]})) || targets=("${all_targets[@]}")

work=build/fuzz programs=build/$preset/fuzz
mkdir -p "$work"
{ cmake --preset "$preset" &&
  cmake --build --preset "$preset" -j 2 --target hostq_fuzz_seeds "${targets[@]/#/fuzz_}" &&
  "$programs/hostq_fuzz_seeds" "$work/seeds"; } >"$work/build.log" 2>&1 ||
  { tail -n 40 "$work/build.log"; echo "0 passed, 1 failed"; exit 1; }

# Journals are written in memory: the disk is not what is looked at.
TMPDIR=$(mktemp -d -p /dev/shm hostq-fuzz.XXXXXX) || exit 1
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
# Debian's protobuf and Abseil are built without AddressSanitizer: a std::string or std::vector that
# they have grown looks as if it was read beyond its end (container-overflow), and is not.
export ASAN_OPTIONS=detect_container_overflow=0:abort_on_error=0
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1

fuzz() { # TARGET
  local corpus=$work/corpus/$1 found=$work/found/$1 limit=(-max_total_time="$seconds") begin=("$work/seeds/$1")
  [[ $executions ]] && limit=(-runs="$executions")
  [[ -d tests/fuzz/corpus/$1 ]] && begin+=("tests/fuzz/corpus/$1")
  mkdir -p "$corpus" "$found"
  "$programs/fuzz_$1" "${limit[@]}" -max_len=4096 -entropic=0 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$found/" "$corpus" "${begin[@]}" >"$work/$1.log" 2>&1
}

passed=0 failed=0
report() { # TARGET STATUS
  local log=$work/$1.log runs rate cover features verdict=ok
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  rate=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
  read -r cover features < <(sed -n 's/.* cov: \([0-9]*\) ft: \([0-9]*\) .*/\1 \2/p' "$log" | tail -n 1)
  if (($2 == 0)); then
    ((++passed))
  else
    ((++failed))
    verdict="FOUND: $(grep -m 1 -E 'ERROR: |runtime error|check failed|SUMMARY' "$log") ($log)"
  fi
  printf '%-16s %12s %9s %9s %9s  %s\n' "$1" "${runs:-?}" "${rate:-?}" "${cover:-?}" "${features:-?}" "$verdict"
}

printf '%-16s %12s %9s %9s %9s\n' TARGET EXECUTIONS 'A SECOND' COVERAGE FEATURES
for ((i = 0; i < ${#targets[@]}; i += jobs)); do
  pids=()
  for target in "${targets[@]:i:jobs}"; do fuzz "$target" & pids+=($!); done
  for j in "${!pids[@]}"; do
    wait "${pids[j]}"
    report "${targets[i + j]}" $?
  done
done
echo "$passed passed, $failed failed"
((failed == 0 && passed > 0))
