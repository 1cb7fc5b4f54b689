#!/bin/bash
# Hooks, told as a story: an account's web site comes, is suspended, moves and goes, with real nginx
# on two web servers; many accounts share a reload; a mistake is named and mended.
#
#   deploy/lab/run.sh tests/system/hooks.sh
#
# shellcheck source=tests/system/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"
hooks=/etc/hostq/hooks.d

page() { # HOST DOMAIN ADDRESS
  on "$1" curl --silent --max-time 10 --header "Host: $2" --write-out '%{http_code}\n' "http://$3/"
}
id_of() { newest_command "account/$1"; }
# The hooks of a web server note themselves where they read their settings.
reloads() { on web1 grep -c 'nginx.reload$' /run/hooks-ran; }

the_hooks() {
  chapter "The hooks: the example for nginx, on both web servers"
  local host
  for host in web1 web2; do
    on "$host" mkdir -p /var/log/nginx
    put "$host" "$hooks/10-nginx" 755 <"$LAB_ROOT/deploy/hooks/nginx/10-nginx"
    put "$host" "$hooks/10-nginx.reload" 755 <"$LAB_ROOT/deploy/hooks/nginx/10-nginx.reload"
    put "$host" "$hooks/README" 644 <<<"not a hook"
    put "$host" /etc/nginx/conf.d/hostq.conf 644 <<<'include /etc/nginx/hostq.d/*.conf;'
    # shellcheck disable=SC2016
    put "$host" /etc/default/hostq-nginx 644 <<<'echo "$0" >>/run/hooks-ran'
    daemon_start "$host" web-server nginx -g 'daemon off;'
    check_soon 30 "nginx runs on $host" on "$host" curl --silent http://127.0.0.1/
  done
  run on web1 ls -l $hooks
  hostq share mount home --source 203.0.113.1:/chroot/home --at /home --wait >/dev/null
}

a_site() {
  chapter "An account: its site is there when the command has succeeded"
  run hostq account create example.com --user exampleco --address 203.0.113.10 --quota 10MiB --wait
  check "the command succeeded" succeeded
  run hostq command show "$(id_of example.com)"
  run on web1 cat /etc/nginx/hostq.d/example.com.conf
  check "web1 has its virtual host" shows "server_name example.com www.example.com;"
  check "what is no hook was ignored, and that is told" step_was "$(id_of example.com)" web1 hooks \
    '.evidence.ignored == "README: not executable"'
  # shellcheck disable=SC2016
  on -u exampleco web1 sh -c 'mkdir -p ~exampleco/public_html && echo "this is example.com" >~exampleco/public_html/index.html'
  local host
  for host in web1 web2; do
    run page "$host" example.com 203.0.113.10
    check "$host serves it" shows "this is example.com"
  done
}
suspended() {
  chapter "Suspended, and not any more"
  run hostq account suspend example.com --wait
  check "the command succeeded" succeeded
  run page web2 example.com 203.0.113.10
  check "a visitor is told" shows "This site is suspended."
  check "with status 503" shows 503
  run hostq account unsuspend example.com --wait
  check_soon 10 "the site is back" prints "this is example.com" page web2 example.com 203.0.113.10
}

addresses() {
  chapter "Its addresses change"
  hostq account add-address example.com 203.0.113.11 --wait >/dev/null
  check_soon 10 "it answers on the new one" prints "this is example.com" page web1 example.com 203.0.113.11
  hostq account remove-address example.com 203.0.113.10 --wait >/dev/null
  run on web1 cat /etc/nginx/hostq.d/example.com.conf
  check "the old one is not in its virtual host" fails shows 203.0.113.10
}

many() {
  chapter "Twelve accounts at once: nginx is not reloaded twelve times"
  local before i
  say "The guest is slow: reloads are at least 5 s apart on web1, so that they meet."
  put web1 /etc/hostq/agent.toml 644 <<'TOML'
state_dir = "/var/lib/hostq/agent"
[hooks]
reload_interval = "5s"
TOML
  daemon web1 node restart
  check_soon 60 "web1 is back" node_is web1 READY
  run hostq node pause web1 --note "twelve are to come"
  before=$(reloads)
  for i in {1..12}; do
    hostq account create "many$i.example" --user "many$i" --address "203.0.113.$((20 + i))" --quota 10MiB >/dev/null
  done
  for i in {1..12}; do
    check_soon 120 "web2 has many$i.example" task_is "$(id_of "many$i.example")" web2 '.outcome == "SUCCEEDED"'
  done
  run hostq node resume web1
  for i in {1..12}; do
    check_soon 120 "many$i.example is there" command_is "$(id_of "many$i.example")" SUCCEEDED
  done
  say "Reloads of nginx on web1: $(($(reloads) - before))"
  check "fewer than nine" test $(($(reloads) - before)) -lt 9
  check "and more than none" test $(($(reloads) - before)) -gt 0
  check "all of them are served" prints 404 page web1 many12.example 203.0.113.32
  check "each has its virtual host" test "$(on web1 ls /etc/nginx/hostq.d | wc -l)" -eq 13
}

a_mistake() {
  chapter "A mistake in somebody's configuration on web1: named, and harmless to the rest"
  local id
  put web1 /etc/nginx/hostq.d/broken.conf 644 <<<'listen here;'
  run hostq account create second.example --user secondco --address 203.0.113.40 --quota 10MiB
  id=$(id_of second.example)
  check_soon 60 "web1 cannot reload: HOOK_RELOAD_FAILED" \
    finding_is "$id" web1 '.cause == "HOOK_RELOAD_FAILED" and .stuck'
  check_soon 60 "web2 has done its part" task_is "$id" web2 '.outcome == "SUCCEEDED"'
  run hostq explain "$id"
  check "hostq explain shows what nginx says" shows broken.conf
  check "web1 serves the others" prints "this is example.com" page web1 example.com 203.0.113.11
  on web1 rm /etc/nginx/hostq.d/broken.conf
  run hostq command retry "$id"
  check_soon 60 "it succeeded" command_is "$id" SUCCEEDED
  check "web1 serves the new one" prints 404 page web1 second.example 203.0.113.40
}

cut_short() {
  chapter "The agent is killed while a hook runs: it is run again, and its reload is not lost"
  local id before
  put web1 $hooks/05-slow 755 <<'HOOK'
#!/bin/sh
echo begun >>/run/slow
[ "$(wc -l </run/slow)" -gt 1 ] || sleep 60
HOOK
  put web1 $hooks/05-slow.reload 755 <<'HOOK'
#!/bin/sh
echo reloaded >>/run/slow
HOOK
  hostq account create third.example --user thirdco --address 203.0.113.41 --quota 10MiB >/dev/null
  id=$(id_of third.example)
  check_soon 60 "the hook has begun" on web1 test -s /run/slow
  daemon web1 agent kill
  check_soon 10 "it ended with the agent" fails on web1 pgrep -f 05-slow
  daemon web1 agent start
  check_soon 90 "the command succeeded" command_is "$id" SUCCEEDED
  run on web1 cat /run/slow
  check "the hook ran twice, the reload once" test "$(on web1 sort /run/slow | uniq -c | xargs)" = "2 begun 1 reloaded"
  on web1 rm $hooks/05-slow $hooks/05-slow.reload
}

the_end() {
  chapter "Deleted: its site goes first"
  run hostq account delete example.com --yes --wait
  check "the command succeeded" succeeded
  check "no virtual host is left" fails on web1 test -e /etc/nginx/hostq.d/example.com.conf
  check "nothing is stuck" holds '(.findings // []) | length == 0' hostq stuck
}

the_hooks
a_site
suspended
addresses
many
a_mistake
cut_short
the_end
story_end
