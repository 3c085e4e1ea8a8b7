#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# with_v1_hugetlb.sh PROGRAM [ARG...]: runs a program where no controller is left on cgroup v2.
# crun refuses hosts that have controllers on both cgroup versions. Where hugetlb is the only one on v2, a v1 mount
# takes it away; the mount is in a private mount namespace, so it ends with the program.
set -eu
directory=$(mktemp -d)
status=0
unshare --mount --propagation private sh -c 'mount -t cgroup -o hugetlb hugetlb "$0" && exec "$@"' "$directory" "$@" ||
  status=$?
rmdir "$directory"
exit "$status"
