# shellcheck shell=bash
# A cluster of real programs in namespaces, for the scripts here. The manager and the bridge are in
# the script's own network, each node in one of its own. Everything the cluster leaves is in $run.
# Agents run as nobody, executors as root.

bin=$PWD/build/release/bin run=$PWD/build/crash
quorum=10.77.0.1
# Its process.
# shellcheck disable=SC2034
manager=0

# Runs the script again, inside: what is made there ends with it, processes, interfaces, addresses,
# mounts.
enter_namespaces() { # SCRIPT ARGUMENT...
  [[ ${HOSTQ_CRASH_INSIDE-} ]] && return
  HOSTQ_CRASH_INSIDE=1 exec unshare --net --mount --pid --fork --kill-child --mount-proc bash "$@"
}

# The files of the cluster, where nobody but the cluster has them; seen as /mnt from then on, which
# also users can reach who may not look into this checkout.
make_run() {
  rm -rf "$run"
  mkdir -p "$run" && chmod 1777 "$run" && mount --bind "$run" /mnt && run=/mnt
}

build() {
  mkdir -p build
  { cmake --preset release && cmake --build --preset release -j 2 --target hostq_crash; } \
    >build/crash-build.log 2>&1 || { tail -n 40 build/crash-build.log; return 1; }
}

hostq() { "$bin/hostq" --socket "$run/manager.sock" "$@"; }

eventually() { # SECONDS COMMAND...
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || return
    sleep 0.1
  done
}

# A node: silent about the addresses on its lo, with one interface to the bridge. Joins.
make_node() { # NAME ADDRESS
  local net=$run/$1.net join
  mkdir -p "$run/$1" && : >"$net" && unshare --net="$net" true &&
    ip link add "to-$1" type veth peer name eth0 netns "$net" &&
    ip link set "to-$1" master br0 up &&
    nsenter --net="$net" sh -ec "ip link set lo up; ip addr add $2/24 dev eth0; ip link set eth0 up
      sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2" || return
  nsenter --net="$net" ip -o monitor address >"$run/$1.addresses" &
  cat >"$run/$1/agent.toml" <<TOML
user = "nobody"
state_dir = "$run/$1/state"
[executor]
run_dir = "$run/$1/run"
state_dir = "$run/$1/executor"
TOML
  join=$(hostq node add "$1" --role app --address "$2" --output json | jq -r .joinCommand) || return
  # shellcheck disable=SC2086  # the words of the line that joins
  nsenter --net="$net" "$bin/"${join} --config "$run/$1/agent.toml" >>"$run/$1.log" 2>&1
}

# A node takes work once its preflight has passed. That asks for a kernel that can mount NFS, which
# nothing here needs and not every machine that runs tests has.
pretend_nfs() {
  { cat /proc/filesystems && printf 'nodev\tnfs\nnodev\tnfs4\n'; } >"$run/filesystems" &&
    mount --bind "$run/filesystems" /proc/filesystems
}

make_manager() {
  pretend_nfs || return
  ip link set lo up && ip link add br0 type bridge && ip link set br0 up &&
    ip addr add $quorum/24 dev br0 || return
  cat >"$run/manager.toml" <<TOML
state_dir = "$run/manager"
[cluster]
name = "crash"
quorum_address = "$quorum"
[listen]
admin_socket = "$run/manager.sock"
[limits]
requests_per_second = 1000000
heartbeat_interval = "1s"
TOML
  "$bin/hostq-manager" init --config "$run/manager.toml" >>"$run/manager.log"
}

start_manager() {
  "$bin/hostq-manager" run --config "$run/manager.toml" >>"$run/manager.log" 2>&1 &
  # shellcheck disable=SC2034
  manager=$!
  eventually 10 hostq node list
}
