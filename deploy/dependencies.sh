#!/bin/bash
# Installs the Debian 12 packages that hostq needs, by name and only those that are missing.
#
#   deploy/dependencies.sh [--list] [build|lab|test|bench|all]...  (default: all)
#
#   build   compiler, CMake and the libraries that hostq links; Node.js and npm, which build the
#           dashboard, unless there is one already (from wherever)
#   lab     what deploy/lab/run.sh needs: a guest kernel, NFS and quota tools
#   test    build and lab, and the checkers that tests/run.sh runs
#   all     everything above
#   bench   build, and the queues that tests/bench/run.sh measures hostq against
#   --list  prints the names, one a line, and installs nothing
#
# Run again, it says nothing and does nothing.  No service is started: the lab starts what it needs
# inside its own hosts.  Runs as root.
set -euo pipefail

build=(
  g++ cmake ninja-build ccache pkg-config git ca-certificates
  protobuf-compiler protobuf-compiler-grpc libprotobuf-dev libgrpc++-dev libabsl-dev
  libsqlite3-dev libssl-dev libcli11-dev libboost-dev libspdlog-dev libtomlplusplus-dev nlohmann-json3-dev
  libnl-3-dev libnl-route-3-dev libnl-genl-3-dev libre2-dev
  python3                                           # embeds the dashboard's files
  libgtest-dev libgmock-dev prometheus-cpp-dev
)
command -v node >/dev/null && command -v npm >/dev/null || build+=(nodejs npm)
lab=(
  user-mode-linux busybox-static                    # the guest kernel; what its init runs
  nfs-kernel-server nfs-common rpcbind quota e2fsprogs xfsprogs
  iproute2 iputils-ping iputils-arping
  kmod mount procps util-linux passwd login jq
  iptables faketime                                 # for faults: a firewall, a wrong clock
)
checkers=(
  clang clang-format clang-tidy libclang-rt-14-dev shellcheck jq strace
  nginx-light apache2-bin curl                      # the examples of hooks are run with them
  python3 openssl                                   # tests/hostile
  zsh mandoc man-db groff-base python3-yaml         # what hostq prints for shells, man and programs
  python3-jsonschema python3-protobuf               # docs/openapi.yaml
  prometheus                                        # promtool and the server, for tests/monitoring
  php-cli php-curl                                  # docs/examples and deploy/integrations
  chromium                                          # tests/browser
)
peers=(
  redis-server rabbitmq-server postgresql beanstalkd ansible-core openssh-server openssh-client
  libhiredis-dev librabbitmq-dev libpq-dev
  strace python3
)

help() { sed -n '2,/^set /{s/^# \{0,1\}//p}' "$0"; }

# The packages of the given groups, each once.
names() {
  local group
  for group; do
    case $group in
      build) printf '%s\n' "${build[@]}" ;;
      lab) printf '%s\n' "${lab[@]}" ;;
      bench) printf '%s\n' "${build[@]}" "${peers[@]}" ;;
      test | all) printf '%s\n' "${build[@]}" "${lab[@]}" "${checkers[@]}" ;;
    esac
  done | sort -u
}

# Of the names on standard input, those that are not installed.
missing() {
  local name
  while read -r name; do
    dpkg-query -W -f '${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed || echo "$name"
  done
}

# Maintainer scripts ask policy-rc.d before they start a service; 101 means no.
forbid_services() {
  policy=/usr/sbin/policy-rc.d
  [[ ! -e $policy ]] || return 0
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
}

apt() {
  DEBIAN_FRONTEND=noninteractive apt-get -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
    --no-install-recommends "$@" >>"$log" 2>&1
}

# Package lists are fetched only if the install fails without them: absent or too old.
install() {
  apt install "$@" || { apt update && apt install "$@"; }
}

main() {
  local list='' groups=() argument
  for argument; do
    case $argument in
      --list) list=1 ;;
      build | lab | test | bench | all) groups+=("$argument") ;;
      -h | --help) help; exit 0 ;;
      *) echo "dependencies: unknown argument '$argument'; see --help" >&2; exit 2 ;;
    esac
  done
  ((${#groups[@]})) || groups=(all)
  if [[ $list ]]; then names "${groups[@]}"; exit 0; fi

  local wanted start=$SECONDS
  mapfile -t wanted < <(names "${groups[@]}" | missing)
  ((${#wanted[@]})) || exit 0
  if ((EUID != 0)); then
    echo "dependencies: run as root, or install these yourself: ${wanted[*]}" >&2
    exit 1
  fi
  log=$(mktemp /tmp/hostq-dependencies.XXXXXX)
  echo "dependencies: installing ${#wanted[@]} packages (${groups[*]}) ..."
  forbid_services
  if ! install "${wanted[@]}"; then
    tail -n 20 "$log" >&2
    echo "dependencies: failed after $((SECONDS - start)) s; the whole log is in $log" >&2
    exit 1
  fi
  rm -f "$log"
  echo "dependencies: installed ${wanted[*]} in $((SECONDS - start)) s"
}

main "$@"
