#!/bin/bash
# tests/system/faults/table.sh [--check]: writes the table of the faults into docs/troubleshooting.md,
# from the catalogue; with --check it changes nothing, and fails if the table is not that of the
# catalogue, or the README's number of faults is another.
set -eu
export LC_ALL=C  # the order of the files
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
document=docs/troubleshooting.md

line() { # FILE NUMBER START: what the line says after START; it must begin so
  sed -n "$2{s/^$3//p;q}" "$1" | grep . || { echo "table.sh: line $2 of $1 does not begin with '$3'" >&2; exit 1; }
}

table() {
  local file name what cure reason
  echo '| fault | what it is | reason | cure |'
  echo '|---|---|---|---|'
  for file in tests/system/faults/catalogue/*.sh; do
    name=$(basename "$file" .sh)
    what=$(line "$file" 2 '# ')
    cure=$(line "$file" 3 '# Cure: ')
    reason=$(sed -n 's/^reason=\([A-Z_]*\).*/\1/p' "$file")
    grep -qx "### $reason" "$document" || { echo "table.sh: $file: no reason '$reason' in $document" >&2; exit 1; }
    echo "| \`$name\` | $what | [$reason](#${reason,,}) | $cure |"
  done
}

rows=$(table)
new=$(rows=$rows awk '
  /^<!-- faults: end -->$/ { inside = 0 }
  !inside { print }
  /^<!-- faults: begin/ { print ENVIRON["rows"]; inside = 1 }' "$document")
[[ $new == *"$rows"* ]] || { echo "table.sh: $document has no place for the table" >&2; exit 1; }
count=$(wc -l <<<"$rows")
if [[ ${1-} == --check ]] && ! grep -q "($((count - 2)) of them: the table" README.md; then
  echo "table.sh: there are $((count - 2)) faults, and README.md says otherwise" >&2
  exit 1
fi
[[ $new != "$(<"$document")" ]] || exit 0
if [[ ${1-} == --check ]]; then
  diff "$document" - <<<"$new" || true
  echo "table.sh: the table of faults in $document is not that of the catalogue: run tests/system/faults/table.sh" >&2
  exit 1
fi
printf '%s\n' "$new" >"$document"
