# shellcheck shell=bash disable=SC2034,SC2154
# The account's home has gone from the share before a node got to it.
# Cure: Restore the home on the file server; retry.
reason=HOME_MISSING heals=retry
prepare() { hostq node pause web1 --note fault; }
inject() { :; }
submit() {
  account_create || return
  local id
  id=$(newest_command "$(key)")
  soon 30 task_is "$id" storage1 '.outcome == "SUCCEEDED"' && on storage1 rmdir "/chroot/home/$user" &&
    hostq node resume web1
}
cure() {
  local uid
  uid=$(on storage1 id -u "$user")
  on storage1 install -d -m 711 -o "$uid" -g "$uid" "/chroot/home/$user"
}
