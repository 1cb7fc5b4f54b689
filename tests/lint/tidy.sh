#!/bin/bash
# tests/lint/tidy.sh BUILD: clang-tidy (.clang-tidy) and clang's thread-safety analysis over every
# source file of the product, with the compile commands of BUILD. Files whose preprocessed input and
# rules have not changed since they last passed are not looked at again (cache: BUILD/tidy).
set -u
build=${1:?the build directory}
cache=$build/tidy
mkdir -p "$cache"
export build cache

check_one() { # FILE
  local file=$1 key
  # What the compiler would see decides, so an edited header counts for everything that includes it.
  key=$({
    cat .clang-tidy
    clang++ -std=c++20 -DHOSTQ_VERSION='""' -I. -I"$build/proto/generated" -E -P "$file"
  } 2>/dev/null | sha256sum | cut -d' ' -f1)
  [[ -e $cache/$key ]] && return 0
  clang-tidy --quiet -p "$build" --extra-arg=-Wthread-safety --extra-arg=-Wno-unknown-warning-option \
    "$file" 2>/dev/null || { echo "tidy: $file"; return 1; }
  : >"$cache/$key"
}
export -f check_one

git ls-files 'common/*.cc' 'manager/*.cc' 'agent/*.cc' |
  xargs -P "$(nproc)" -I{} bash -c 'check_one {}'
