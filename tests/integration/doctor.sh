#!/bin/bash
# tests/integration/doctor.sh [BIN]: what hostq doctor says of a real manager whose disk fills, whose database is
# damaged, which is killed, and which was never made. BIN has the programs (default: build/release/bin). Everything
# is in a temporary directory and a mount namespace that go with it. Ends with "N passed, N failed". Runs as root.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
bin=$(realpath "${1:-build/release/bin}") || exit 1
if [[ ${HOSTQ_DOCTOR_INSIDE-} != 1 ]]; then
  HOSTQ_DOCTOR_INSIDE=1 exec unshare --mount --propagation private "${BASH_SOURCE[0]}" "$bin"
fi

passed=0 failed=0 manager=''
dir=$(mktemp -d /tmp/hostq-doctor-XXXXXX)
trap 'stop KILL; umount "$dir/disk" 2>/dev/null; rm -rf "$dir"' EXIT
export HOSTQ_SOCKET=$dir/manager.sock

stop() { # SIGNAL
  [[ $manager ]] || return 0
  kill -"$1" "$manager" 2>/dev/null
  wait "$manager" 2>/dev/null
  manager=''
}

# Looks for a pattern in what doctor says (rc has how it ended).
expect() { # WHAT RC PATTERN
  local out rc
  out=$("$bin/hostq" doctor --config "$dir/manager.toml" 2>&1)
  rc=$?
  if ((rc == $2)) && grep -Eq -- "$3" <<<"$out"; then
    passed=$((passed + 1))
    echo "  ok   $1"
  else
    failed=$((failed + 1))
    printf '  FAIL %s: ended with %d, wanted %d and "%s":\n%s\n' "$1" "$rc" "$2" "$3" "$out"
  fi
}
eventually() { # COMMAND...
  for _ in {1..600}; do
    "$@" >/dev/null 2>&1 && return
    sleep 0.1
  done
  echo "  never: $*"
  return 1
}
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
run() {
  "$bin/hostq-manager" run --config "$dir/manager.toml" >>"$dir/manager.log" 2>&1 &
  manager=$!
  eventually "$bin/hostq" node list || tail -n 20 "$dir/manager.log"
}
status_is() { # CHECK STATUS
  [[ $("$bin/hostq" doctor -o json | jq -r ".checks[] | select(.id == \"$1\").status") == "$2" ]]
}

mkdir "$dir/disk"
mount -t tmpfs -o size=160m hostq-doctor "$dir/disk" || exit 1

expect "nothing is there: says that there is no configuration" 1 "configuration +FAIL .*manager.toml"
cat >"$dir/manager.toml" <<END
state_dir = "$dir/disk/state"
[cluster]
name = "doctor"
quorum_address = "127.0.0.1"
[listen]
agents = "127.0.0.1:$(port)"
enrollment = "127.0.0.1:$(port)"
api = "127.0.0.1:$(port)"
admin_socket = "$HOSTQ_SOCKET"
END
expect "not made yet: says how to make it" 1 "hostq-manager init"
"$bin/hostq-manager" init --config "$dir/manager.toml" >/dev/null || exit 1
expect "not running: says so, and what is there" 1 "database +ok .*hostq.db"
run
# A disk of 160 MiB is small: a warning, and nothing worse.
expect "running: nothing has failed" 0 "disk-free +warn  DISK_LOW"
expect "running: its certificate is looked at" 0 "manager-certificate +ok "
expect "running: the audit is looked at" 0 "audit-chain +ok +the newest [0-9]+ entries"

fallocate -l "$(($(df --output=avail -B1 "$dir/disk" | tail -n 1) - 16 * 1024 * 1024))" "$dir/disk/filler"
expect "nearly full: fails" 1 "disk-free +FAIL  DISK_LOW: 1[0-9].* MiB free"
dd if=/dev/zero of="$dir/disk/rest" bs=4k status=none 2>/dev/null
expect "full: a write that is to be durable fails" 1 "disk-write +FAIL  DISK_LOW: .*No space left"
# What it cannot write makes the database fail; its log has some room from before.
for n in {1..1000}; do
  "$bin/hostq" node add "web$n" --role app --address "192.0.2.$((n % 250 + 1))" >/dev/null 2>&1 || break
done
eventually status_is store FAILED
expect "full: the database takes nothing" 1 "store +FAIL  STORE_UNAVAILABLE"
rm "$dir/disk/filler" "$dir/disk/rest"
eventually status_is store OK
expect "space again: it goes on by itself" 0 "store +ok "

# Killed, it leaves its socket; what can be seen is seen.
stop KILL
expect "killed: nobody answers" 1 "nobody answers at the manager's socket"
expect "killed: the disk is looked at all the same" 1 "disk-write +ok "
chmod 600 "$dir/manager.toml"
echo 'nonsense = 1' >>"$dir/manager.toml"
expect "a mistake in the configuration is named" 1 "configuration +FAIL .*nonsense"
sed -i '$d' "$dir/manager.toml"

# Somebody writes to the audit in the database.
python3 - "$dir/disk/state/hostq.db" <<'END'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
table = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'audit%'")
         if "actor" in [row[1] for row in db.execute(f"PRAGMA table_info({name})")]][0]
for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
    db.execute(f"DROP TRIGGER {trigger}")
db.execute(f"UPDATE {table} SET actor = 'nobody' WHERE rowid = (SELECT max(rowid) FROM {table})")
db.commit()
END
run
expect "an entry of the audit was changed: found" 1 "audit-chain +FAIL  AUDIT_BROKEN: .*was changed"
stop TERM
rm -r "$dir/disk/state/hostq.db"
expect "the database is gone: says to restore it" 1 "restore it from the backup"

echo "$passed passed, $failed failed"
((failed == 0 && passed > 0))
