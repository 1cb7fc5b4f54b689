#!/bin/bash
# Who may do what, told as a story on a cluster, by the documents: a person elsewhere with a
# certificate, a billing program with a key, a join line in strange hands, a node that is banned, an
# authority that is replaced while everything works, and the audit that has it all.
#
#   deploy/lab/run.sh tests/system/trust.sh
#
# shellcheck source=tests/system/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"
# shellcheck source=deploy/lab/hostq.sh
source "$LAB_DIR/hostq.sh"

API=203.0.113.1:7445
CA=/var/lib/hostq/manager/ca/trusted.pem
WORK=/run/trust                     # of this script; each host has files of its own
mkdir -p "$WORK"

# give HOST PATH: the file of that name in $WORK, for root alone.
give() { put "$1" "$2" 600 <"$WORK/${2##*/}"; }
remote() { on other1 hostq --manager "$API" "$@"; } # a machine that is no node
alice() { remote --identity /root/alice.pem "$@"; }
billing() { remote --key-file /root/billing.key --ca-cert /root/ca.pem "$@"; }

alarm_is() { holds "any(.alarms[]?; .subject == \"$1\" and ($2))" hostq alarm list; } # SUBJECT JQ
no_alarms() { holds '.alarms == null or .alarms == []' hostq alarm list; }
agent_says() { grep -q -- "$2" "$LAB_LOGS/$1/hostq-agent.log"; } # HOST PATTERN, in the log of its agent
stuck_says() { holds "any(.findings[]?; .reason == \"$1\")" hostq stuck; }
audit_has() { holds "any(.entries[]?; $1)" hostq audit list --limit 500; } # JQ
authority_is() { holds "$1" hostq authority show; } # JQ

persons() {
  chapter "A person elsewhere: a certificate"
  on storage1 cat "$CA" >"$WORK/ca.pem"
  give other1 /root/ca.pem
  run on storage1 hostq administrator add alice --out /root/alice.pem
  check "made" succeeded
  check "for root alone" prints 600 on storage1 stat -c %a /root/alice.pem
  on storage1 cat /root/alice.pem >"$WORK/alice.pem"
  give other1 /root/alice.pem
  run alice node list
  check "alice sees the nodes from elsewhere" shows web1
  run alice node pause web2 --note 'looking at it'
  check "and may act" succeeded
  run alice node show web2
  check "in her name" shows alice
  alice node resume web2 >/dev/null
  run alice administrator add bob --out /root/bob.pem
  check "further administrators are made on the manager's machine only" shows NOT_AUTHORIZED
  run hostq administrator revoke alice --note 'left the company'
  run alice node list
  check "revoked at once" shows "the certificate of administrator alice was revoked"
  run remote --ca-cert /root/ca.pem node list
  check "who shows nothing is told what to show" shows "needs to know who you are"
}

programs() {
  chapter "A program: a key that may a little"
  hostq share mount home --source 203.0.113.1:/chroot/home --at /home --wait >/dev/null
  run hostq key create billing --scope read \
    --scope 'submit:create_account,suspend_account,unsuspend_account,delete_account,set_account_quota' \
    --own-accounts --source 203.0.113.0/24 --expires 30d
  check "made" succeeded
  check "shown once" shows hostq_
  grep -o 'hostq_[a-z2-7_]*' "$capture" | head -1 >"$WORK/billing.key"
  give other1 /root/billing.key
  run billing account create shop.example --user shop --address 203.0.113.40 --quota 10MiB --wait --timeout 60s
  check "it makes an account" succeeded
  run billing account list
  check "which it sees" shows shop.example
  hostq account create other.example --user other --address 203.0.113.43 --quota 10MiB --wait >/dev/null
  run billing account show other.example
  check "somebody else's it does not" shows UNKNOWN_ACCOUNT
  run billing account delete other.example --yes
  check "and does not delete" shows UNKNOWN_ACCOUNT
  run billing node pause web1 --note 'let me'
  check "nodes are not its business" shows OUT_OF_SCOPE

  chapter "The key is replaced, and then revoked"
  run hostq key rotate billing --keep 1h
  grep -o 'hostq_[a-z2-7_]*' "$capture" | head -1 >"$WORK/second.key"
  check "the old secret goes on" succeeds billing account list
  on other1 cp /root/billing.key /root/first.key
  put other1 /root/billing.key 600 <"$WORK/second.key"
  check "and so does the new one" succeeds billing account list
  run hostq key revoke billing --note 'was in a public repository'
  run billing account list
  check "revoked at once" shows KEY_REVOKED
  sed 's/[a-m]/n/9' "$WORK/second.key" >"$WORK/wrong.key"
  give other1 /root/wrong.key
  run remote --key-file /root/wrong.key --ca-cert /root/ca.pem account list
  check "what is no key is nothing" shows KEY_INVALID
}
succeeds() { "$@" >/dev/null; }

joining() {
  chapter "A join line that two machines use"
  hostq node remove web2 --force >/dev/null
  on web2 rm -rf /var/lib/hostq/agent/identity
  daemon web2 node stop
  on web2 rm -rf /var/lib/hostq/agent
  local line
  line=$(hostq node add web2 --role app --address 203.0.113.3 --source 203.0.113.0/24 --output json |
    jq -r .joinCommand)
  check "web2 joins" succeeds on web2 sh -c "$line"
  put other1 /etc/hostq/agent.toml 644 <<<'state_dir = "/var/lib/hostq/agent"'
  system_user other1 hostq-agent
  run on other1 sh -c "$line"
  check "the other one does not" shows TOKEN_USED
  check "it is an alarm" alarm_is token/web2 '.reason == "TOKEN_MISUSED"'
  check "that hostq stuck has on top" stuck_says TOKEN_MISUSED
  run hostq alarm list
  run hostq alarm clear token/web2
  check "until somebody has looked" no_alarms
  daemon web2 node start
  check_soon 60 "web2 serves" node_is web2 READY
}

banning() {
  chapter "A node is banned"
  run hostq node ban web2 --note 'root shell found, ticket 4711'
  check "at once" succeeded
  check_soon 1 "its session has ended within a second" agent_says web2 'not connected to the manager.*NODE_BANNED'
  check "as the list says" node_is web2 BANNED
  run hostq account create late.example --user late --address 203.0.113.41 --quota 10MiB
  local id
  id=$(newest_command account/late.example)
  check_soon 20 "what waits for it says why" finding_is "$id" web2 '.reason == "NODE_BANNED"'
  run hostq stuck
  check "and so does hostq stuck" shows NODE_BANNED
  daemon web2 agent restart
  sleep 3
  check "it does not come back" node_is web2 BANNED
  daemon storage1 manager restart
  check_soon 30 "not by a restart of the manager either" node_is web2 BANNED
  run hostq node rejoin web2
  check "it may be joined anew" succeeded
  check "and is banned until it has" node_is web2 BANNED
  run hostq node unban web2
  daemon web2 agent restart
  check_soon 60 "unbanned, it goes on" node_is web2 READY
  check_soon 60 "with what waited" command_is "$id" SUCCEEDED
}

replacing() {
  chapter "The authority is replaced, while everything works"
  run hostq authority show
  local first
  first=$(hostq authority show --output json | jq -r '.certificates[0].pin')
  run hostq authority activate
  check "not before there is another one" shows WRONG_ROTATION_STEP
  run hostq authority prepare
  check_soon 30 "all nodes trust the next one" authority_is '(.nodesNotTrusting // []) == []'
  run hostq authority undo
  check "a step can be undone" succeeded
  hostq authority prepare >/dev/null
  check_soon 30 "and done again" authority_is '(.nodesNotTrusting // []) == []'
  run on storage1 hostq administrator add carol --out /root/carol-1.pem
  run hostq authority activate
  check_soon 90 "all nodes have renewed" authority_is '(.nodesUsingOld // []) == []'
  run hostq authority retire
  check "carol has not" shows AUTHORITY_IN_USE
  run on storage1 hostq administrator renew carol --out /root/carol.pem
  on storage1 cat /root/carol.pem >"$WORK/carol.pem"
  give other1 /root/carol.pem
  run hostq authority show
  run hostq authority retire
  check "the old one is trusted no more" succeeded
  check "by another key" authority_is ".certificates[] | select(.state == \"ISSUING\") | .pin != \"$first\""
  check_soon 30 "all nodes are there" all_ready
  run remote --identity /root/carol.pem node list
  check "so is carol" shows web1
  run hostq account create after.example --user after --address 203.0.113.42 --quota 10MiB --wait --timeout 60s
  check "and work" succeeded
}

auditing() {
  chapter "The audit has it all, and shows when somebody changes it"
  check "who paused web2" audit_has '.actor == "alice" and (.act | endswith("PauseNode")) and .source == "203.0.113.99"'
  check "who was refused" audit_has '.outcome == "OUT_OF_SCOPE"'
  check "who banned it" audit_has '(.act | endswith("BanNode")) and .target == "node/web2"'
  run hostq audit verify
  check "it is as it was written" succeeded
  put storage1 /root/audit.jsonl 600 < <(hostq audit export)
  run hostq audit verify --file /root/audit.jsonl
  check "so is the export" succeeded
  local head
  head=$(hostq audit head)
  on storage1 sed -i 's/looking at it/nothing at all/' /root/audit.jsonl
  run hostq audit verify --file /root/audit.jsonl
  check "a changed entry is found" shows CHANGED
  put storage1 /root/audit.jsonl 600 < <(hostq audit export | sed 7d)
  run hostq audit verify --file /root/audit.jsonl
  check "a removed one is named" shows "entry 7 is missing"
  run hostq audit verify --expect "$head"
  check "the head that was kept fits" succeeded
}

persons
programs
joining
banning
replacing
auditing
story_end
