#!/bin/bash
# tests/simulation/mutations.sh [--seeds N] [NAME...]: whether the simulation finds bugs. Applies each
# tests/simulation/mutations/*.patch (or those whose file name contains a NAME) to a copy of the
# sources, builds the simulation and runs up to N seeds (1000): at least one must find it. First the
# unchanged sources must pass. The copy is kept in build/mutations between runs, so that the next one
# builds less; it is compiled as what is shipped is, so that ccache has most of it.
#
# Ends with "N passed, N failed"; exits 0 only if every mutation was caught.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
copy=$PWD/build/mutations/source binaries=$PWD/build/mutations/source/build/release seeds=1000 names=()
passed=0 failed=0

usage() { sed -n '2,/^set -u/{s/^# \{0,1\}//;/^set -u/d;p}' "${BASH_SOURCE[0]}"; }

while (($#)); do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --seeds) seeds=${2:?--seeds needs a number}; shift ;;
    -*) echo "mutations.sh: no option '$1'" >&2; exit 2 ;;
    *) names+=("$1") ;;
  esac
  shift
done

# Only files that differ, so that the build does not begin anew.
sync_copy() {
  git ls-files --cached --others --exclude-standard -- CMakeLists.txt CMakePresets.json agent common manager proto tests |
    while IFS= read -r file; do
      [[ -f $file ]] || continue
      cmp -s "$file" "$copy/$file" || { mkdir -p "$copy/$(dirname "$file")" && cp "$file" "$copy/$file"; } || exit 1
    done
}
build() {
  cmake -S "$copy" --preset release -DHOSTQ_CORE_ONLY=ON >build/mutations/build.log 2>&1 &&
    cmake --build "$binaries" -j 2 --target hostq_simulation >>build/mutations/build.log 2>&1
}
simulate() { timeout 600 "$binaries/tests/hostq_simulation" --seeds "$seeds" --stop-at-first; }
verdict() { # NAME passed|failed TEXT
  printf '%-32s %s\n' "$1" "$3"
  if [[ $2 == passed ]]; then ((++passed)); else ((++failed)); fi
}

mkdir -p "$copy"
sync_copy || { echo "mutations.sh: cannot copy the sources" >&2; exit 1; }
build || { tail -n 40 build/mutations/build.log; echo "0 passed, 1 failed"; exit 1; }
if simulate >build/mutations/run.log 2>&1; then
  verdict unchanged passed "passes $seeds seeds"
else
  verdict unchanged failed "$(grep '^seed' build/mutations/run.log)"
fi

for patch in tests/simulation/mutations/*.patch; do
  name=$(basename "$patch" .patch)
  if ((${#names[@]})); then
    wanted=0
    for part in "${names[@]}"; do [[ $name == *"$part"* ]] && wanted=1; done
    ((wanted)) || continue
  fi
  if ! patch -d "$copy" -p1 --batch --forward --fuzz=1 --no-backup-if-mismatch -r - \
    <"$patch" >build/mutations/apply.log 2>&1; then
    verdict "$name" failed "does not apply any more: $(tail -n 1 build/mutations/apply.log)"
    sync_copy
    continue
  fi
  if ! build; then
    verdict "$name" failed "does not compile: $(grep -m 1 'error:' build/mutations/build.log)"
  elif simulate >build/mutations/run.log 2>&1; then
    verdict "$name" failed "NOT caught in $seeds seeds"
  else
    verdict "$name" passed "caught: $(grep -m 1 '^seed' build/mutations/run.log || echo 'crashed')"
  fi
  sync_copy
done
echo "$passed passed, $failed failed"
((failed == 0 && passed > 0))
