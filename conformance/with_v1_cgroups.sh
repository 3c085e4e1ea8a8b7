#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# with_v1_cgroups.sh PROGRAM [ARG...]: runs a program where every controller of the kernel is on cgroup v1, below
# /sys/fs/cgroup: what the validation programs take for granted. crun, too, refuses a host that has some on v2.
# The mounts are in a private mount namespace. On a host whose controllers are in use on v2 there is nothing to be had
# for v1: the program runs as it is.
set -eu
if [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; then exec "$@"; fi
exec unshare --mount --propagation private sh -c '
set -eu
old=$(mktemp -d)
mount --rbind /sys/fs/cgroup "$old"
mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
for directory in "$old"/*; do
  name=$(basename "$directory")
  if [ -L "$directory" ]; then cp -P "$directory" /sys/fs/cgroup/; continue; fi
  mkdir "/sys/fs/cgroup/$name"
  mount --rbind "$directory" "/sys/fs/cgroup/$name"
done
umount -R "$old"
rmdir "$old"
mounted=
# name, hierarchy, cgroups, enabled. A hierarchy lives on after its last mount while there are cgroups in it, so that it
# has one says nothing: mounting joins it.
while read -r name _ _ enabled; do
  case $name in "#"*) continue ;; esac
  if [ "$enabled" = 1 ] && ! grep -Eq " - cgroup .*[ ,]$name(,|\$)" /proc/self/mountinfo && [ ! -e "/sys/fs/cgroup/$name" ]; then
    mkdir "/sys/fs/cgroup/$name"
    if mount -t cgroup -o "$name" "$name" "/sys/fs/cgroup/$name"; then mounted="$mounted $name"; else rmdir "/sys/fs/cgroup/$name"; fi
  fi
done </proc/cgroups
status=0
"$@" || status=$?
# The kernel takes a moment to forget cgroups that were removed. A hierarchy that is unmounted before stays, and with it
# the controller, which others then find on a v1 that is nowhere mounted: containerd reads no statistics on such a host.
for name in $mounted; do
  for attempt in $(seq 50); do
    [ "$(sed -n "s/^$name\t[0-9]*\t\([0-9]*\)\t.*/\1/p" /proc/cgroups)" = 1 ] && break
    sleep 0.1
  done
  umount "/sys/fs/cgroup/$name" || true # it ends with the mount namespace
done
exit "$status"' sh "$@"
