#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Boots a virtual machine with systemd and nothing but cgroup v2, as Debian and Ubuntu come today, which runs
# PAYLOAD/guest.sh as root, with a copy of PAYLOAD as its working directory, and turns itself off:
#   boot.sh IMAGE PAYLOAD OUTPUT SECONDS
# What the guest writes to its console is shown, and kept in OUTPUT/console.log; what it writes to its virtio serial port
# is in OUTPUT/report. IMAGE is a directory of make_disk.sh; its disk is never written to. A machine that takes more than
# SECONDS is stopped; the boot alone takes 10 to 20.
set -euo pipefail
image=$1 payload=$2 output=$3 timeout_seconds=$4

command -v qemu-system-x86_64 >/dev/null || { echo "vm: qemu-system-x86 is not installed" >&2; exit 1; }
mkdir -p "$output"
disk=$output/payload.ext4
trap 'rm -f "$disk"' EXIT
rm -f "$disk" "$output/report"
mke2fs -q -t ext4 -d "$payload" "$disk" "$(($(du -sm "$payload" | cut -f 1) * 5 / 4 + 64))M"

# Emulated: with -enable-kvm it hangs where KVM is nested and does not work.
nice timeout "$timeout_seconds" qemu-system-x86_64 -M q35 -accel tcg,thread=multi -cpu max -smp 2 -m 2048 \
  -nodefaults -no-reboot -display none \
  -chardev "stdio,id=console,signal=off,logfile=$output/console.log" -serial chardev:console \
  -chardev "file,id=report,path=$output/report" -device virtio-serial -device virtserialport,chardev=report,name=report \
  -kernel "$image/vmlinuz" -initrd "$image/initrd" -append "console=ttyS0 quiet panic=-1" \
  -drive "file=$image/disk.ext4,format=raw,if=virtio,snapshot=on" \
  -drive "file=$disk,format=raw,if=virtio" </dev/null || {
  echo "vm: it did not end by itself within $timeout_seconds s" >&2
  exit 1
}
