#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs test/vm/guest.sh in a virtual machine with systemd and nothing but cgroup v2, as Debian and Ubuntu come today:
#   run.sh
# The machine's disk is made once (make_disk.sh) and never written to. Needs root for that, and qemu-system-x86.
set -euo pipefail
cd "$(dirname "$0")/../.."

# Without KVM a boot takes 10 to 20 seconds of one processor's time.
timeout_seconds=${EDGERUN_VM_TIMEOUT:-240}
image=build/vm
log=$image/console.log

command -v qemu-system-x86_64 >/dev/null || { echo "vm: qemu-system-x86 is not installed" >&2; exit 1; }
[ -e $image/disk.ext4 ] || test/vm/make_disk.sh $image

# What is under test is on a second disk.
payload=$(mktemp -d)
trap 'rm -rf "$payload"' EXIT
install -m 0755 build/edgerun test/vm/guest.sh "$payload"
rm -f $image/payload.ext4
mke2fs -q -t ext4 -d "$payload" $image/payload.ext4 16M

timeout "$timeout_seconds" qemu-system-x86_64 -M q35 -accel tcg,thread=multi -cpu max -smp 2 -m 2048 \
  -nodefaults -no-reboot -display none -serial "file:$log" \
  -kernel $image/vmlinuz -initrd $image/initrd -append "console=ttyS0 quiet panic=-1" \
  -drive file=$image/disk.ext4,format=raw,if=virtio,snapshot=on \
  -drive file=$image/payload.ext4,format=raw,if=virtio,readonly=on || echo "vm: it did not end by itself" >&2

sed -n 's/\r$//; /^ok \|^not ok \|^# /p; /^[0-9]* passed, /p' $log
grep -q '^[0-9]* passed, 0 failed, ' $log || { echo "vm: failed; see $log" >&2; exit 1; }
