# shellcheck shell=bash
# For stories told on a cluster in the lab: a command as a person would type it, its true output,
# and what must hold after it, checked.  Sourced by the scripts beside this file; they run in
# deploy/lab/run.sh.  Output of a story:
#
#   == A chapter
#   $ hostq node list
#   NAME  STATE ...
#     ok   what holds
#     FAIL what does not, with what was seen
#   N passed, N failed
set -u
# shellcheck source=deploy/lab/lib.sh
source "$LAB_DIR/lib.sh"

passed=0 failed=0
capture=$(mktemp)                  # output of the last "run"
status=0                           # its exit status

chapter() { printf '\n== %s\n' "$*"; }
say() { printf '\n%s\n' "$*" | fold -s -w 100; }

# run COMMAND...: shows the command and its output.  The next checks are about these.
run() {
  local words
  printf -v words '%q ' "$@"
  printf '\n$ %s\n' "${words//\\,/,}"
  "$@" 2>&1 | tee "$capture"
  status=${PIPESTATUS[0]}
}

# check WHAT COMMAND...: WHAT holds if COMMAND succeeds.
check() {
  local seen
  if seen=$("${@:2}" 2>&1); then
    passed=$((passed + 1))
    echo "  ok   $1"
  else
    failed=$((failed + 1))
    echo "  FAIL $1"
    [[ ! $seen ]] || printf '%s\n' "$seen" | sed 's/^/       /'
  fi
}

# check_soon SECONDS WHAT COMMAND...: the same for what takes its time.
check_soon() { check "$2" soon "$1" "${@:3}"; }

# soon SECONDS COMMAND...: until COMMAND succeeds; then, or at the end, shows what it said last.
soon() {
  local end=$((SECONDS + $1)) seen
  shift
  until seen=$("$@" 2>&1); do
    if ((SECONDS >= end)); then
      echo "$seen"
      return 1
    fi
    sleep 0.3
  done
}

fails() { ! "$@"; }
succeeded() { ((status == 0)) || { echo "exit status $status"; return 1; }; }
refused() { ((status != 0)) || { echo "exit status 0"; return 1; }; }
shows() { grep -qF -- "$1" "$capture" || { echo "no '$1' in the output above"; return 1; }; }

# prints TEXT COMMAND...: COMMAND succeeds and its output has TEXT in it.
prints() {
  local seen
  seen=$("${@:2}" 2>&1) || { echo "exit status $?: $seen"; return 1; }
  [[ $seen == *"$1"* ]] || { echo "no '$1' in: $seen"; return 1; }
}

# holds FILTER COMMAND...: COMMAND's JSON satisfies jq's FILTER.
holds() {
  local seen
  seen=$("${@:2}" --output json 2>&1) || { echo "exit status $?: $seen"; return 1; }
  jq -e "$1" <<<"$seen" >/dev/null || { echo "not so: $1"; jq -c . <<<"$seen"; return 1; }
}

# put HOST PATH MODE: makes a file of standard input, and the directories above it.
put() {
  # shellcheck disable=SC2016
  on "$1" sh -c 'mkdir -p "${1%/*}" && cat >"$1" && chmod "$2" "$1"' sh "$2" "$3"
}

# ---- hostq's answers ---------------------------------------------------------------------------

# The newest command that changes RESOURCE_KEY; ids are ordered by time.
newest_command() { # RESOURCE_KEY
  hostq command list --all --key "$1" --output json |
    jq -r '[.commands[]?.id] | max // empty'
}

command_is() { holds ".state == \"$2\"" hostq command show "$1"; } # ID STATE
task_is() { # ID NODE FILTER
  holds "any(.tasks[]; .node == \"$2\" and ($3))" hostq command show "$1"
}
finding_is() { # ID NODE FILTER
  holds "any(.findings[]?; .node == \"$2\" and ($3))" hostq explain "$1"
}
# step_was ID NODE STEP FILTER: in some attempt there was a step of that name for which FILTER holds.
step_was() {
  holds "any(.tasks[]; .node == \"$2\" and any(.attempts[]?.steps[]?; .name == \"$3\" and ($4)))" \
    hostq command show "$1"
}
node_is() { holds "any(.nodes[]; .name == \"$1\" and .state == \"$2\")" hostq node list; } # NODE STATE

# story_end: the last line, and the exit status.
story_end() {
  printf '\n%d passed, %d failed\n' "$passed" "$failed"
  rm -f "$capture"
  ((failed == 0))
}
