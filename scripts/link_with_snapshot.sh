#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Links the device binary with a snapshot of its engine in it (native/engine/snapshot.h):
#   link_with_snapshot.sh OUTPUT ARCHIVE PARTS COMMAND...
# COMMAND links it, when `-o PROGRAM` is added. ARCHIVE: the program's modules. PARTS: those to load ahead, by spaces.
set -eu
output=$1 archive=$2 parts=$3
shift 3
work=$output.parts
rm -rf "$work"
mkdir -p "$work"

dump() {
  # shellcheck disable=SC2086
  "$work/program" --dump-engine "$work/$1" "$archive" $parts
}

# take BYTES COMMAND...: links a program with so much room, and makes its snapshot
take() {
  bytes=$1
  shift
  "$@" -DSNAPSHOT_BYTES="$bytes" -o "$work/program"
  dump first
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    dump second
    build/make_snapshot "$work/snapshot" "$work/first" "$work/second" 2>"$work/error" && return
    # By chance two processes have nearly the same addresses. Not ten times, unless they are not random.
    grep -q "same addresses" "$work/error" || break
  done
  cat "$work/error" >&2
  exit 1
}

# How big the snapshot is, is known when there is one: the first is made in more room than it can need. The second may
# differ by a few words, which depend on addresses.
take 0x800000 "$@"
room=$(($(stat -c %s "$work/snapshot") + 256))
take "$room" "$@"
[ "$(stat -c %s "$work/snapshot")" -le "$room" ] || { echo "link_with_snapshot: the snapshot has grown" >&2; exit 1; }
objcopy --update-section .snapshot="$work/snapshot" "$work/program" "$output"
rm -rf "$work"
