#!/bin/bash
# tests/hooks/examples.sh nginx|apache: the example of a hook in deploy/hooks with the real web server,
# in a folder and a network of its own: the configuration it writes is accepted, and requests are
# answered as they should be after each event. Ends with "N passed, N failed".
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
server=${1:?nginx or apache}

die() { echo "examples.sh: $*" >&2; exit 1; }
((EUID == 0)) || die "needs root: hooks of $server were NOT tested"
program=${server/apache/apache2}
for tool in "$program" jq curl; do
  command -v "$tool" >/dev/null || die "no $tool here; run: deploy/dependencies.sh test"
done
[[ ${HOSTQ_EXAMPLES_INSIDE:-} ]] ||
  HOSTQ_EXAMPLES_INSIDE=1 exec unshare --net --mount --propagation private "${BASH_SOURCE[0]}" "$server"

# A path that the server's own user may walk.
folder=$(mktemp -d /tmp/hostq-hooks.XXXXXX) || exit 1
chmod 755 "$folder"
passed=0 failed=0

check() { # WHAT COMMAND...
  local seen
  if seen=$("${@:2}" 2>&1); then
    passed=$((passed + 1))
    echo "  ok   $1"
  else
    failed=$((failed + 1))
    printf '  FAIL %s\n%s\n' "$1" "$seen"
  fi
}

# As the executor runs it: clean environment, in /, and its contract of exit statuses.
hook() { # NAME
  (cd / && exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C "$OLDPWD/deploy/hooks/$server/10-$server$1")
}
event() { # NAME [SUSPENDED [ADDRESSES]]
  jq -n --arg event "$1" --argjson suspended "${2:-false}" --argjson addresses "${3:-[\"203.0.113.10\"]}" \
    --arg home "$folder/home/exampleco" '{version: 1, event: $event, roles: ["app"], account: {
      domain: "example.com", user: "exampleco", uid: 20000, gid: 20000, home: $home,
      addresses: $addresses, quota_bytes: 0, suspended: $suspended, generation: 1}}'
}
ends_with() { # STATUS EVENT...
  local status=0
  event "${@:2}" | hook '' || status=$?
  [[ $status == "$1" ]] || { echo "exit status $status"; return 1; }
}
answers() { # ADDRESS STATUS TEXT
  local seen
  seen=$(curl --silent --max-time 5 --header 'Host: example.com' --write-out ' %{http_code}' "http://$1:8080/")
  [[ $seen == *"$3"*" $2" ]] || { echo "answer: $seen"; return 1; }
}
# A reload is done a moment after it was asked for.
soon() {
  local i
  for ((i = 0; i < 50; i++)); do "$@" >/dev/null && return; sleep 0.1; done
  "$@"
}
fails() { ! "$@"; }

start_nginx() {
  cat >"$folder/nginx.conf" <<CONF
user www-data;
pid $folder/nginx.pid;
error_log $folder/error.log;
events {}
http {
    access_log off;
    server { listen 127.0.0.1:8080 default_server; return 404; }
    include $folder/sites/*.conf;
}
CONF
  cat >/etc/default/hostq-nginx <<CONF
sites=$folder/sites
port=8080
command="nginx -c $folder/nginx.conf"
CONF
  nginx -c "$folder/nginx.conf"
}

start_apache() {
  {
    printf "LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n" \
      mpm_event{,} authz_core{,} alias{,} dir{,}
    cat <<CONF
ServerName localhost
ServerRoot $folder
User www-data
Group www-data
PidFile $folder/apache2.pid
ErrorLog $folder/error.log
DirectoryIndex index.html
Listen 8080
IncludeOptional sites/*.conf
CONF
  } >"$folder/apache2.conf"
  cat >/etc/default/hostq-apache <<CONF
sites=$folder/sites
port=8080
command="apache2 -f $folder/apache2.conf"
pid=$folder/apache2.pid
CONF
  apache2 -f "$folder/apache2.conf"
}

stop() {
  local pid
  pid=$(cat "$folder"/*.pid 2>/dev/null) && kill "$pid" && for _ in {1..50}; do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  rm -rf "$folder"
}
trap stop EXIT

{
  mount -t tmpfs tmpfs /etc/default && ip link set lo up &&
    ip addr add 203.0.113.10/32 dev lo && ip addr add 2001:db8::10/128 dev lo nodad
} || die "no namespaces: hooks of $server were NOT tested"
mkdir -p "$folder/sites" "$folder/home/exampleco/public_html"
echo "this is example.com" >"$folder/home/exampleco/public_html/index.html"
"start_$server" || die "$program does not start: $(cat "$folder/error.log")"

check "created: something is to be done" ends_with 0 created
check "the second time nothing is" ends_with 100 created
check "the server takes it" hook .reload
check "the page is served" soon answers 203.0.113.10 200 "this is example.com"
check "suspended" ends_with 0 suspended true
check "the server takes it" hook .reload
check "a visitor is told" soon answers 203.0.113.10 503 "This site is suspended."
check "unsuspended" ends_with 0 unsuspended
check "the server takes it" hook .reload
check "the page is served again" soon answers 203.0.113.10 200 "this is example.com"
check "an IPv6 address is added" ends_with 0 address_added false '["203.0.113.10", "2001:db8::10"]'
check "the server takes it" hook .reload
check "the page is served there" soon answers '[2001:db8::10]' 200 "this is example.com"
check "the first address is removed" ends_with 0 address_removed false '["2001:db8::10"]'
check "the server takes it" hook .reload
check "the page is not served there any more" soon fails answers 203.0.113.10 200 "this is example.com"
check "the quota is not its business" ends_with 100 quota_changed false '["2001:db8::10"]'
echo "a mistake" >"$folder/sites/broken.conf"
check "a mistake is found before it does harm" fails hook .reload
check "the page is served all the same" answers '[2001:db8::10]' 200 "this is example.com"
rm "$folder/sites/broken.conf"
check "deleted" ends_with 0 deleted
check "the second time nothing is to be done" ends_with 100 deleted
check "the server takes it" hook .reload
check "nothing is served any more" soon fails answers '[2001:db8::10]' 200 "this is example.com"
check "no file is left" fails ls "$folder/sites/"*

echo "$passed passed, $failed failed"
((failed == 0))
