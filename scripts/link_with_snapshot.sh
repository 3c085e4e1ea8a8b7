#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Links the device binary with a snapshot of its engine in it (native/engine/snapshot.h):
#   link_with_snapshot.sh OUTPUT ARCHIVE PARTS COMMAND...
# COMMAND links it, when `-o PROGRAM` is added. ARCHIVE: the program's modules. PARTS: those to load ahead, by spaces.
# The size of the snapshot is known when there is one: the first is made in more room than it can need.
set -eu
output=$1 archive=$2 parts=$3
shift 3
work=$output.parts
rm -rf "$work"
mkdir -p "$work"

# take BYTES COMMAND...: links a program with so much room, and makes its snapshot
take() {
  bytes=$1
  shift
  "$@" -DSNAPSHOT_BYTES="$bytes" -o "$work/program"
  for dump in first second; do
    # shellcheck disable=SC2086
    "$work/program" --dump-engine "$work/$dump" "$archive" $parts
  done
  build/make_snapshot "$work/snapshot" "$work/first" "$work/second"
}

take 0x800000 "$@"
size=$(stat -c %s "$work/snapshot")
take "$size" "$@"
[ "$(stat -c %s "$work/snapshot")" = "$size" ] || { echo "link_with_snapshot: the snapshot changes its size" >&2; exit 1; }
objcopy --update-section .snapshot="$work/snapshot" "$work/program" "$output"
rm -rf "$work"
