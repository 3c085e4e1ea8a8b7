#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes what run.sh boots, from packages of Debian 12:
#   make_disk.sh DIRECTORY      -> DIRECTORY/vmlinuz, initrd, disk.ext4
set -euo pipefail
directory=$(realpath -m "$1")
cd "$(dirname "$0")/../.."
# shellcheck source=scripts/debian_mirror.sh
. scripts/debian_mirror.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$directory"

# The kernel's package is only unpacked: installed, it would bring an initrd of its own, and a boot loader. It comes
# from a root without an apt of its own configuration, so that it is Debian 12's wherever this runs.
debootstrap --variant=minbase --include=systemd-sysv,busybox-static bookworm "$work/root" "$(find_debian_mirror)" >&2
package=$(chroot "$work/root" apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-6[^ ]*\).*/\1/p')
chroot "$work/root" sh -c "cd /tmp && apt-get -qq -o APT::Sandbox::User=root download $package" >&2
mkdir "$work/kernel"
dpkg-deb --extract "$work"/root/tmp/linux-image-*.deb "$work/kernel"
rm "$work"/root/tmp/*.deb
version=$(basename "$work"/kernel/lib/modules/*)
cp "$work/kernel/boot/vmlinuz-$version" "$directory/vmlinuz"

# An initrd that loads the drivers of the disk and its file system.
mkdir -p "$work"/initrd/{bin,dev,proc,sys,new,lib/modules/"$version"}
cp "$work/root/bin/busybox" "$work/initrd/bin/"
(cd "$work/kernel/lib/modules/$version" &&
  find . -name 'modules.*' -o \( -path './kernel/fs/*' -o -path './kernel/lib/*' -o -path './kernel/crypto/*' \
    -o -path './kernel/arch/*/crypto/*' -o -name 'virtio*' \) -name '*.ko*' |
  while read -r file; do install -D -m 0644 "$file" "$work/initrd/lib/modules/$version/$file"; done)
busybox depmod -b "$work/initrd" "$version"
cat >"$work/initrd/init" <<'INIT'
#!/bin/busybox sh
busybox mount -t devtmpfs dev /dev
busybox mount -t proc proc /proc
busybox mount -t sysfs sys /sys
for module in virtio_pci virtio_blk crc32c_generic ext4; do busybox modprobe -q $module; done
for attempt in 1 2 3 4 5 6 7 8 9 10; do
  busybox mount -t ext4 /dev/vda /new && break
  busybox sleep 1
done
busybox umount /proc /sys
busybox mount -o move /dev /new/dev
exec busybox switch_root /new /sbin/init
INIT
chmod 755 "$work/initrd/init"
(cd "$work/initrd" && find . | busybox cpio -o -H newc | gzip -1) >"$directory/initrd"

# The service runs the tests of the second disk, and turns the machine off.
cp -r "$work/kernel/lib/modules" "$work/root/lib/"
cat >"$work/root/etc/systemd/system/edgerun-test.service" <<'UNIT'
[Unit]
Description=edgerun tests
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
ExecStartPre=/bin/mount -t ext4 -o ro /dev/vdb /mnt
ExecStart=/bin/sh /mnt/guest.sh
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
UNIT
mkdir -p "$work/root/etc/systemd/system/multi-user.target.wants"
ln -s ../edgerun-test.service "$work/root/etc/systemd/system/multi-user.target.wants/"
rm -rf "$work"/root/var/cache/apt "$work"/root/var/lib/apt/lists "$work"/root/usr/share/{doc,man,locale}
mke2fs -q -t ext4 -d "$work/root" "$directory/disk.ext4.new" 1G
mv "$directory/disk.ext4.new" "$directory/disk.ext4"
