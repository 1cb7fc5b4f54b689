#!/bin/bash
# tests/lint/tidy.sh BUILD: clang-tidy (.clang-tidy) and clang's thread-safety analysis over every
# source file of the product, with the compile commands of BUILD.
#
# Most of the time goes into the headers of gRPC, which are the same for every file, so up to eight
# files of a folder are looked at as one (24 s for six files instead of 105 s). Where that is refused,
# because of a finding or because two files have the same name for different things, halves of it are
# looked at, down to single files, whose verdict counts. What has passed is remembered, by what the
# compiler would see and by the rules: ${XDG_CACHE_HOME:-~/.cache}/hostq/tidy.
set -u
build=${1:?the build directory}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/hostq/tidy
mkdir -p "$cache" "$build/tidy"
export build cache

# What the compiler of this file is told, but for what is compiled into what.
flags_of() { # FILE
  jq -r --arg file "$PWD/$1" '[.[] | select(.file == $file)][0].command' "$build/compile_commands.json" |
    sed -E "s|$PWD|.|g; s/^(.* )?[^ ]*\/(c|g|clang)\+\+ / /; s/ -o [^ ]+//; s/ -c [^ ]+//; s/ -f[^ ]+//g"
}

check() { # FILE...
  local unit key flags
  unit=$build/tidy/$(printf '%s\n' "$@" | sha256sum | cut -c1-16).cc
  printf '#include "%s"\n' "$@" >"$unit"
  flags=$(flags_of "$1")
  # The flags are words of a shell's command line, quotes included.
  local -a words
  eval "words=($flags)"
  # What the compiler would see decides, so an edited header counts for everything that includes it.
  key=$({
    cat .clang-tidy
    echo "$flags"
    clang++ "${words[@]}" -I. -E -P "$unit"
  } 2>/dev/null | sha256sum | cut -d' ' -f1)
  [[ -e $cache/$key ]] && return 0
  if (($# == 1)); then
    clang-tidy --quiet -p "$build" --extra-arg=-Wthread-safety --extra-arg=-Wno-unknown-warning-option "$1" 2>/dev/null ||
      { echo "tidy: $1"; return 1; }
  elif ! clang-tidy --quiet --config="$(<.clang-tidy)" --checks=-bugprone-suspicious-include \
    --header-filter='/(common|manager|agent)/.*\.(h|cc)$' "$unit" \
    -- "${words[@]}" -I. -Wthread-safety -Wno-unknown-warning-option >/dev/null 2>&1; then
    local half=$(($# / 2)) bad=0
    check "${@:1:half}" || bad=1
    check "${@:half + 1}" || bad=1
    ((bad == 0)) || return 1
  fi
  : >"$cache/$key"
}
export -f check flags_of

git ls-files 'common/*.cc' 'manager/*.cc' 'agent/*.cc' |
  awk '{ folder = $0; sub("/[^/]*$", "", folder)
         if (folder != last || ++n == 8) { if (NR > 1) print ""; n = 0; last = folder }
         printf "%s%s", n ? " " : "", $0 }
       END { print "" }' |
  xargs -P "$(nproc)" -d '\n' -I{} bash -c 'check {}'
