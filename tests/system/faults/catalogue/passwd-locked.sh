# shellcheck shell=bash disable=SC2034,SC2154
# Another program holds the lock of the node's user database.
# Cure: End the other program, or remove its lock.
reason=ACCOUNT_DATABASE_LOCKED
inject() {
  on web1 sh -c 'echo 1 >/etc/passwd.lock; echo 1 >/etc/group.lock'
}
cure() { on web1 rm /etc/passwd.lock /etc/group.lock; }
