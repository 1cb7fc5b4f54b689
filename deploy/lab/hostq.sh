# shellcheck shell=bash
# hostq in the lab: installs the binaries, makes the cluster, controls its daemons.  Everything that
# knows hostq's files and command lines is here.  Sourced by guest/setup.sh and bin/daemon, after
# lib.sh.

MANAGER_CONFIG=/etc/hostq/manager.toml
AGENT_CONFIG=/etc/hostq/agent.toml
# The manager is an unprivileged user.  Root starts the agents, which then become one; executors are root.
AS_HOSTQ=(setpriv --reuid=hostq --regid=hostq --init-groups --no-new-privs --bounding-set=-all --)

# What the unit leaves the executor of root's capabilities: the stories show that it is enough.
as_executor() {
  local set
  set=$(sed -n 's/^CapabilityBoundingSet=//p' "$LAB_DIR/../systemd/hostq-executor.service")
  set=${set,,} set=${set//cap_/+}
  AS_EXECUTOR=(setpriv "--bounding-set=-all,${set// /,}" "--inh-caps=-all" --)
}

# Before the hosts are made, which then all have them: what was just built, in /usr/bin.
install_hostq() {
  local name
  for name in hostq hostq-manager hostq-agent hostq-executor; do
    touch "/usr/bin/$name" && mount --bind "$LAB_BUILD/$name" "/usr/bin/$name" || return
  done
}

start_hostq() {
  make_manager || return
  daemon storage1 manager start
  eventually 60 on storage1 hostq node list || { lab_fail "the manager does not answer"; return; }
  join_node storage1 storage 203.0.113.1 || return
  join_node web1 app 203.0.113.2 || return
  join_node web2 app 203.0.113.3 || return
  eventually 90 all_ready && return
  on storage1 hostq node list
  lab_fail "not all nodes are READY"
}

# As the package would make it.
system_user() { # HOST NAME
  # shellcheck disable=SC2016
  on "$1" sh -ec 'getent passwd "$1" >/dev/null ||
    useradd --system --user-group --no-create-home --home-dir /var/lib/hostq --shell /usr/sbin/nologin "$1"' sh "$2"
}

# The user and the directories that the package would make; then certificates and database.
make_manager() {
  system_user storage1 hostq || return
  on storage1 sh -ec 'install -d -m 755 /etc/hostq
    install -d -m 750 -o hostq -g hostq /var/lib/hostq/manager
    install -d -m 755 -o hostq -g hostq /run/hostq' || return
  on storage1 sh -c "cat >$MANAGER_CONFIG" <<TOML
state_dir = "/var/lib/hostq/manager"

[cluster]
name = "lab"
quorum_address = "$LAB_QUORUM"

[listen]
agents = "$LAB_QUORUM:7443"
enrollment = "$LAB_QUORUM:7444"
admin_socket = "/run/hostq/manager.sock"
TOML
  on storage1 "${AS_HOSTQ[@]}" hostq-manager init --config "$MANAGER_CONFIG" \
    >>"$LAB_LOGS/storage1/hostq-manager.log" 2>&1 || lab_fail "hostq-manager init failed"
}

join_node() { # HOST ROLES ADDRESS [OPTION...]
  enroll_node "$@" && daemon "$1" node start
}

# Its agent and executor are not started.
enroll_node() { # HOST ROLES ADDRESS [OPTION...]
  local command
  command=$(on storage1 hostq node add "$1" --role "$2" --address "$3" "${@:4}" --output json |
    jq -r '.joinCommand // empty')
  [[ $command ]] || { lab_fail "hostq node add $1 gave no join command"; return; }
  system_user "$1" hostq-agent || return
  on "$1" sh -ec "install -d -m 755 /etc/hostq
    echo 'state_dir = \"/var/lib/hostq/agent\"' >$AGENT_CONFIG
    $command" >>"$LAB_LOGS/$1/hostq-agent.log" 2>&1 || lab_fail "$1 cannot join"
}

all_ready() {
  on storage1 hostq node list --output json |
    jq -e '[.nodes[].state] | length == 3 and all(. == "READY")'
}

# daemon HOST manager|agent|executor|node stop|start|restart|kill|pause|continue|status
# node: agent and executor.  kill is SIGKILL; a paused daemon keeps its connections and says nothing
# (SIGSTOP).
daemon() {
  local host=${1:-} what=${2:-} action=${3:-} command
  case $what in
    manager) command=("${AS_HOSTQ[@]}" hostq-manager run --config "$MANAGER_CONFIG") ;;
    agent) command=(hostq-agent run --config "$AGENT_CONFIG") ;;
    executor) as_executor; command=("${AS_EXECUTOR[@]}" hostq-executor run --config "$AGENT_CONFIG") ;;
    node)
      case $action in
        start) daemon "$host" executor start && daemon "$host" agent start ;;
        restart) daemon "$host" node stop && daemon "$host" node start ;;
        *) daemon "$host" agent "$action" && daemon "$host" executor "$action" ;;
      esac
      return ;;
    *) action='' ;;
  esac
  case $action in
    start) daemon_start "$host" "hostq-$what" "${command[@]}" ;;
    stop) daemon_stop "$host" "hostq-$what" ;;
    restart) daemon "$host" "$what" stop && daemon "$host" "$what" start ;;
    kill) daemon_signal "$host" "hostq-$what" KILL && eventually 5 daemon_gone "$host" "hostq-$what" ;;
    pause) daemon_signal "$host" "hostq-$what" STOP ;;
    continue) daemon_signal "$host" "hostq-$what" CONT ;;
    status)
      if daemon_running "$host" "hostq-$what"; then echo running; else echo "not running"; return 1; fi ;;
    *)
      lab_fail "usage: daemon HOST manager|agent|executor|node stop|start|restart|kill|pause|continue|status"
      return 2 ;;
  esac
}
