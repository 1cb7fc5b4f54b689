# shellcheck shell=bash disable=SC2034,SC2154
# rpc.rquotad runs without -S: it answers, and refuses to set a quota.
# Cure: Start rpc.rquotad with -S.
reason=QUOTA_SET_NOT_PERMITTED
prepare() { account_create --wait; }
inject() { rquotad deny; }
submit() { hostq quota set "$domain" --size 20MiB --node web1; }
cure() { rquotad allow; }
verify() { prints 20480 on storage1 repquota -u /chroot/home; }
