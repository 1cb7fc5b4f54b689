#!/bin/bash
# tests/lint/hardening.sh BIN...: how the programs were linked and compiled, read from the files
# themselves, and which packages they load. Fails if one of them is not
#
#   PIE       loaded at an address that nobody can foretell
#   RELRO     its table of functions read-only before it runs (-z relro -z now)
#   NX        without an executable stack
#   STACK     compiled with a stack protector
#   FORTIFY   compiled with _FORTIFY_SOURCE
#
# or names a library by a path of its own (RPATH).
set -u
passed=0 failed=0

verdict() { # BINARY PROPERTY yes|no
  if [[ $3 == yes ]]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAIL ${1##*/}: not $2"
  fi
}
has() { grep -qE "$2" <<<"$1" && echo yes || echo no; } # TEXT PATTERN
lacks() { grep -qE "$2" <<<"$1" && echo no || echo yes; }

printf '%-16s %s\n' PROGRAM 'PIE RELRO NX  STACK FORTIFY'
for binary; do
  header=$(readelf -hW "$binary") || { failed=$((failed + 1)); continue; }
  segments=$(readelf -lW "$binary") dynamic=$(readelf -dW "$binary")
  symbols=$(readelf -W --dyn-syms "$binary")
  pie=$(has "$header" 'Type: +DYN')
  relro=no
  [[ $(has "$segments" GNU_RELRO)$(has "$dynamic" 'BIND_NOW') == yesyes ]] && relro=yes
  nx=$(lacks "$segments" 'GNU_STACK.* RWE ')
  stack=$(has "$symbols" '__stack_chk_fail')
  fortify=$(has "$symbols" '__(mem|str|sn?|v|f|read|printf)[a-z]*_chk')
  printf '%-16s %-3s %-5s %-3s %-5s %s\n' "${binary##*/}" "$pie" "$relro" "$nx" "$stack" "$fortify"
  verdict "$binary" PIE "$pie"
  verdict "$binary" RELRO "$relro"
  verdict "$binary" NX "$nx"
  verdict "$binary" STACK "$stack"
  verdict "$binary" FORTIFY "$fortify"
  verdict "$binary" 'free of RPATH' "$(lacks "$dynamic" 'RPATH|RUNPATH')"
done

printf '\nPackages that they load:\n'
# Debian's packages may say /lib where the file is in /usr/lib.
# shellcheck disable=SC2016
for binary; do ldd "$binary"; done | awk '/=> \// { print $3 }' | sort -u | xargs -r realpath -e |
  sed 'p; s|^/usr/|/|' | xargs -r dpkg-query -S 2>/dev/null | cut -d: -f1 | sort -u |
  xargs -r dpkg-query -W -f '  ${Package} ${Version}\n'
printf '\n%d passed, %d failed\n' "$passed" "$failed"
((failed == 0 && passed > 0))
