#!/bin/bash
# host-init.sh NAME LAYERS LOGS: process 1 of a host, in its new namespaces.  Mounts what is the
# host's own, then lives as long as the host and reaps its orphans.
name=$1 layers=$2 logs=$3

private_etc() {
  # An overlay and not bind mounts of single files: useradd replaces /etc/passwd by rename(2).
  mount -t overlay overlay -o "lowerdir=/etc,upperdir=$layers/etc,workdir=$layers/work" /etc || return
  echo "$name" >/etc/hostname
  printf '%s\n' '127.0.0.1 localhost' '203.0.113.1 storage1' '203.0.113.2 web1' \
    '203.0.113.3 web2' '203.0.113.99 other1' >/etc/hosts
  # Nobody answers for names and accounts but these files, whatever this machine uses.
  printf '%s: files\n' passwd group shadow gshadow hosts networks protocols services ethers rpc \
    >/etc/nsswitch.conf
}

private_directories() {
  mount --bind "$logs" /var/log &&
    mount -t tmpfs -o mode=1777 tmpfs /tmp &&
    mount -t tmpfs -o mode=755 tmpfs /chroot && mkdir /chroot/home &&
    mount -t tmpfs -o mode=755 tmpfs /var/lib/hostq &&
    mount -t tmpfs -o mode=755 tmpfs /var/lib/nfs &&
    mkdir /var/lib/nfs/{sm,sm.bak,v4recovery,nfsdcld} && touch /var/lib/nfs/{etab,rmtab,state} &&
    chown -R statd /var/lib/nfs/{sm,sm.bak,state} &&
    # rpcbind leaves its state in /run, and the next one would read it: never shared.
    mount -t tmpfs -o mode=755 tmpfs /run && mkdir /run/{lock,rpc_pipefs,rpcbind} &&
    mount -t rpc_pipefs rpc_pipefs /run/rpc_pipefs
}

hostname "$name"
umount -l /run /proc /sys               # the guest's; a host is not to see them below its own
mount -t proc proc /proc && mount -t sysfs sysfs /sys && private_etc && private_directories || exit 1
touch /run/ready
while :; do
  sleep 86400 &
  wait $!
done
