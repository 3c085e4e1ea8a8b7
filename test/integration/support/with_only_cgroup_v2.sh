#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# with_only_cgroup_v2.sh PROGRAM [ARG...]: runs a program where /sys/fs/cgroup is the cgroup2 mount of a hybrid host and
# nothing else, in a private mount namespace. Controllers that version 1 holds are not there. The mount is a bind mount:
# a new one would set the options of the one file system to its own.
set -eu
unified=$(findmnt --noheadings --output TARGET --types cgroup2 | head -n 1 | sed 's/^[^/]*//')
[ "$unified" = /sys/fs/cgroup ] && exec "$@"
exec unshare --mount --propagation private sh -eu -c '
  directory=$(mktemp -d)
  mount --bind "$0" "$directory"
  umount --recursive --lazy /sys/fs/cgroup
  mount --move "$directory" /sys/fs/cgroup
  rmdir "$directory"
  exec "$@"
' "$unified" "$@"
