#!/bin/bash
# tests/integration/examples.sh [--no-build]: every example of docs/integrate.md and docs/reference/webhooks.md
#
#   - the blocks marked "sh" of docs/integrate.md are run in their order, as they are, in the folder of the checkout
#   - code that docs/reference/webhooks.md shows is what docs/examples has
#   - the examples' own checks of signatures, in both languages
#
# At a real manager with HTTPS and two real agents; a script answers for their executors, so that nothing is done to
# this machine. Everything is in namespaces of its own (network, processes, mounts: /run and /var/lib are empty) and
# ends with them. HOSTQ_SHOW=1 prints the blocks and what they print. Ends with "N passed, N failed"; exits 0 only if everything passed. Runs as root.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
usage() { sed -n '2,/^# ends with/{s/^# \{0,1\}//;p}' tests/integration/examples.sh; }

build=1
for argument; do
  case $argument in
    -h | --help) usage; exit 0 ;;
    --no-build) build='' ;;
    *) echo "examples.sh: unknown argument '$argument'; see --help" >&2; exit 2 ;;
  esac
done
bin=${HOSTQ_BIN-$PWD/build/release}
if [[ $build && ! ${HOSTQ_BIN-} ]]; then
  mkdir -p build
  { cmake --preset release && cmake --build --preset release --target hostq-manager hostq-agent hostq hostq_scripted_executor; } \
    >build/examples-build.log 2>&1 || { tail -n 40 build/examples-build.log; echo "0 passed, 1 failed"; exit 1; }
fi
if [[ ! ${HOSTQ_INSIDE-} ]]; then
  HOSTQ_INSIDE=1 HOSTQ_BIN=$bin exec unshare --net --mount --pid --fork --kill-child --mount-proc "$0" --no-build
fi

# --- inside ---
passed=0 failed=0
ok() { printf '  ok   %s\n' "$1"; passed=$((passed + 1)); }
bad() { printf 'FAILED %s\n' "$1"; failed=$((failed + 1)); }
finish() {
  if ((failed)); then tail -n 20 "$work"/manager.log; fi
  echo "$passed passed, $failed failed"
  ((failed == 0 && passed > 0)) || exit 1
  exit 0
}

# The checkout may lie below /tmp: only what is to be written is covered.
for folder in /run /var/lib; do mount -t tmpfs tmpfs $folder; done
mkdir -p /run/hostq /var/lib/hostq /run/examples
chmod 755 /run/examples
work=/run/examples
ip link set lo up
ip address add 10.0.0.1/32 dev lo
program() { find "$bin" -name "$1" -type f -perm -u+x | head -n 1; }
PATH=$(dirname "$(program hostq)"):$PATH

cat >$work/manager.toml <<'TOML'
[cluster]
name = "example"
quorum_address = "10.0.0.1"
[webhooks]
allow = ["127.0.0.0/8"]
TOML
manager=$(program hostq-manager) agent=$(program hostq-agent) executor=$(program hostq_scripted_executor)
"$manager" init --config $work/manager.toml >$work/init.log 2>&1 || { bad "hostq-manager init"; cat $work/init.log; finish; }
"$manager" run --config $work/manager.toml >$work/manager.log 2>&1 &
for _ in {1..200}; do hostq node list >/dev/null 2>&1 && break; sleep 0.1; done

# Two web servers that do as they are told.
node() {
  local name=$1 address=$2 folder=$work/$1 line
  mkdir -p "$folder/run"
  printf '%s\n' 'user = "nobody"' "state_dir = \"$folder/state\"" '[executor]' "run_dir = \"$folder/run\"" \
    "state_dir = \"$folder/executor\"" '[policy]' 'repair = false' '[hooks]' 'directory = ""' >"$folder/agent.toml"
  "$executor" "$folder/run/socket" &
  line=$(hostq node add "$name" --role app --address "$address" --output json | jq -r .joinCommand)
  # The line as it is printed, of this agent.
  eval "${line/hostq-agent/\"$agent\"} --config $folder/agent.toml" >"$folder/join.log" 2>&1 || { cat "$folder/join.log"; return 1; }
  "$agent" run --config "$folder/agent.toml" >"$folder/agent.log" 2>&1 &
}
if ! { node web1 10.0.0.11 && sleep 1.2 && node web2 10.0.0.12; }; then bad "the nodes"; finish; fi
for _ in {1..300}; do
  [[ $(hostq node list --output json | jq '[.nodes[] | select(.state == "READY")] | length') == 2 ]] && break
  sleep 0.1
done
if hostq share mount home --source 10.0.0.9:/chroot/home --at /home --wait --timeout 60s >$work/share.log 2>&1; then
  ok "a manager and two nodes"
else
  bad "a manager and two nodes"; cat $work/share.log; finish
fi

# The blocks, each with the heading above it, into files: 01, 02, ...
awk -v folder=$work '
  /^#/ { title = $0; sub(/^#+ */, "", title) }
  /^```sh$/ { file = sprintf("%s/block-%02d", folder, ++count); print title >(file ".title"); inside = 1; next }
  /^```$/ { inside = 0; next }
  inside { print >(file ".sh") }' docs/integrate.md

block_runner=$PWD/tests/integration/examples_block.sh
ln -s "$PWD/docs" "$PWD/deploy" $work/
cd $work || exit 1
for block in block-*.sh; do
  title=$(<"${block%.sh}.title")
  number=${block#block-} number=${number%.sh}
  if timeout 120 "$block_runner" "$block" >"$block.out" 2>&1 </dev/null; then
    ok "block $number: $title"
  else
    bad "block $number: $title"
    sed 's/^/       /' "$block" "$block.out"
  fi
  [[ ! ${HOSTQ_SHOW-} ]] || { sed 's/^/ $ /' "$block"; cat "$block.out"; }
done

# What the documents show is what is run.
for language in php python; do
  case $language in php) file=docs/examples/verify.php ;; *) file=docs/examples/verify.py ;; esac
  if diff <(sed -n "/^\`\`\`$language\$/,/^\`\`\`\$/{/^\`\`\`/d;p}" docs/reference/webhooks.md) $file; then
    ok "docs/reference/webhooks.md shows $file"
  else
    bad "docs/reference/webhooks.md shows $file"
  fi
done

# The examples' verification: the right secret now, and nothing else.
body='{"a":1}'
signed() { printf 't=%s,v1=%s' "$2" "$(printf '%s.%s' "$2" "$body" | openssl dgst -sha256 -hmac "$1" | awk '{print $NF}')"; }
cat >says.php <<'PHP'
<?php
require 'docs/examples/verify.php';
exit(hostq_verify('hqw_x', $argv[1], $argv[2]) ? 0 : 1);
PHP
cat >says.py <<'PYTHON'
import sys
sys.path.insert(0, "docs/examples")
from verify import verify
sys.exit(not verify("hqw_x", sys.argv[1], sys.argv[2].encode()))
PYTHON
now=$(date +%s)
for says in 'php says.php' 'python3 -B says.py'; do
  if $says "$(signed hqw_x "$now")" "$body" && $says "$(signed hqw_new "$now"),v1=$(signed hqw_x "$now" | sed 's/.*v1=//')" "$body" &&
    ! $says "$(signed hqw_y "$now")" "$body" && ! $says "$(signed hqw_x "$now")" '{"a":2}' &&
    ! $says "$(signed hqw_x $((now - 400)))" "$body" && ! $says "" "$body" && ! $says "t=$now" "$body" && ! $says "v1=,t=,=" "$body"; then
    ok "verification: ${says% says*}"
  else
    bad "verification: ${says% says*}"
  fi
done
finish
