#!/usr/bin/env bash
# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The first process of a host of the test bed, in its own network, pid, mount, uts, ipc and cgroup namespaces.
# init.sh BASE PLACE NAME WWW PUBLIC_KEY KIND CGROUPS
#   BASE     a Debian tree, read only here      PLACE  a file system for the host: empty, or as its last boot left it
#   WWW      a directory that becomes /www      KIND   plain, cron, systemd, or systemd-kmsg with the kernel's log
#   CGROUPS  names of version 1 hierarchies, separated by commas, or 'unified'
# Nothing of the machine can be changed from here: /proc/sys and /sys are read only, /dev and cgroups are the host's own.
set -eu
base=$1 place=$2 name=$3 www=$4 key=$5 kind=$6 cgroups=$7
root=$place/root
hostname "$name"

first=yes
[ ! -e "$place/up" ] || first=
mkdir -p "$place/up" "$place/work" "$root"
mount -t overlay overlay -o "lowerdir=$base,upperdir=$place/up,workdir=$place/work" "$root"
mkdir -p "$root/www"
mount --bind "$www" "$root/www"

mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
if [ ! "$first" ]; then # the kernel's own stays the same, which no real boot's does
  cat /proc/sys/kernel/random/uuid > "$place/boot_id"
  mount --bind "$place/boot_id" "$root/proc/sys/kernel/random/boot_id"
fi
[ ! -e "$root/proc/sysrq-trigger" ] || mount --bind /dev/null "$root/proc/sysrq-trigger"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs tmpfs "$root/run"
mkdir "$root/run/sshd"

if [ "$cgroups" = unified ]; then
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
else
  mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
  for controller in ${cgroups//,/ }; do
    mkdir "$root/sys/fs/cgroup/$controller"
    option=$controller
    [ "$controller" != systemd ] || option=none,name=systemd
    mount -t cgroup -o "$option" cgroup "$root/sys/fs/cgroup/$controller"
  done
  mount -o remount,bind,ro "$root/sys/fs/cgroup"
fi

mount -t tmpfs -o mode=755 tmpfs "$root/dev"
nodes="null zero full random urandom tty"
[ "$kind" != systemd-kmsg ] || nodes="$nodes kmsg"
for node in $nodes; do
  cp -a "/dev/$node" "$root/dev/"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"
ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"

if [ "$first" ]; then
  echo "$name" > "$root/etc/hostname"
  echo "127.0.0.1 localhost $name" > "$root/etc/hosts"
  echo 'www:x:1001:1001::/www:/bin/sh' >> "$root/etc/passwd"
  echo 'www:x:1001:' >> "$root/etc/group"
  echo 'extra:x:1500:www' >> "$root/etc/group"
  echo 'ops:x:1002:1002::/home/ops:/bin/bash' >> "$root/etc/passwd"
  echo 'ops:*:19000:0:99999:7:::' >> "$root/etc/shadow"
  echo 'ops:x:1002:' >> "$root/etc/group"
  echo 'ops ALL=(ALL) NOPASSWD: ALL' > "$root/etc/sudoers.d/ops"
  for home in root home/ops; do
    mkdir -p "$root/$home/.ssh"
    chmod 700 "$root/$home/.ssh"
    cp "$key" "$root/$home/.ssh/authorized_keys"
  done
  chown -R 1002:1002 "$root/home/ops"
  printf 'UseDNS no\nPermitRootLogin yes\nMaxStartups 200\nPasswordAuthentication no\nClientAliveInterval 0\n' \
    > "$root/etc/ssh/sshd_config.d/bed.conf"

  rm -f "$root/etc/systemd/system/multi-user.target.wants/earlyoom.service" # it kills when it is told to
fi

cd "$root"
pivot_root . mnt
if [ "${kind%-kmsg}" = systemd ]; then
  if [ "$first" ]; then
    rm -f etc/machine-id
    tr -d - < proc/sys/kernel/random/uuid > etc/machine-id
  fi
  exec chroot . /bin/bash -c 'umount -l /mnt
    exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=console --show-status=0'
fi
# shellcheck disable=SC2016  # the shell inside expands it
exec chroot . /bin/bash -c 'umount -l /mnt
  cd /
  [ "$1" != cron ] || /usr/sbin/cron
  /usr/sbin/sshd -o UsePAM=no
  echo ready > /run/ready
  while :; do sleep 3600 & wait $!; done' init "$kind"
