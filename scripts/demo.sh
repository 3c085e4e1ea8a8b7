#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A signed capability manifest, real images, containers: what was granted, what was refused, and that it holds.
#   demo.sh [--without-debian]
# Needs root. Everything is below build/demo; the machine is not enrolled. Images are kept for the next time.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/demo_output.sh
. scripts/demo_output.sh
# shellcheck source=scripts/debian_mirror.sh
. scripts/debian_mirror.sh

demo=build/demo
suite=${EDGERUN_DEMO_SUITE:-bookworm}

edgerun() { build/edgerun --root "$demo/run" --config-root "$demo/etc" --data-root "$demo/var" "$@"; }
owner() { node bin/edgerun.mjs owner "$@"; }

clean_up() {
  local id
  for id in demo-reader demo-debian; do edgerun delete --force "$id" 2>/dev/null || true; done
  # debootstrap's own, where it was interrupted.
  for mount in proc sys; do
    if mountpoint -q "$demo/debian.new/$mount"; then umount "$demo/debian.new/$mount"; fi
  done
  rm -rf "$demo"/*.new
}

prepare() {
  [ "$(id -u)" = 0 ] || fail "only root can start containers: sudo make demo"
  mkdir -p "$demo"
  exec 9>"$demo/lock"
  flock -n 9 || fail "another demo is running"
  trap clean_up EXIT
  trap 'exit 130' INT TERM HUP
  clean_up
  rm -rf "$demo"/{etc,var,readings,reader*,debian.j*,owner.*}
  mkdir -p "$demo"/{readings,etc/trust}
  echo "4711 kWh" >"$demo/readings/register"
}

# The image's digest, as `owner bundle` wrote it into the bundle.
digest_of() { sed -n 's/.*"dev.edgerun.image.digest": "\(.*\)".*/\1/p' "$demo/$1/config.json"; }

# An example with this machine's values in place of its own: the image's digest, the directory on the host.
fill_in() { sed -e "s|sha256:0*\"|$(digest_of "$2")\"|" -e "s|/srv/readings|$PWD/$demo/readings|" "examples/$1"; }

introduce() {
  say "Below, edgerun is the device's binary with a state and an owner of its own, and owner is the owner's tool:"
  show_command "edgerun() { build/edgerun --root $demo/run --config-root $demo/etc --data-root $demo/var \"\$@\"; }"
  show_command "owner() { node bin/edgerun.mjs owner \"\$@\"; }"
}

make_reader_bundle() {
  chapter "An image becomes a bundle: busybox and a script, in Debian's busybox-static"
  run "mkdir -p $demo/reader.new/{bin,data,dev,proc,sys,tmp,usr/bin}"
  run "cp /bin/busybox $demo/reader.new/bin && chroot $demo/reader.new /bin/busybox --install -s /bin"
  run "cp examples/meter_reader/meter-reader $demo/reader.new/usr/bin"
  run "examples/make_image.sh $demo/reader.new examples/meter_reader/image.json $demo/reader.image"
  run "owner bundle $demo/reader.image --output $demo/reader"
  say "What an engine would ask for on the app's behalf, and more, goes into its config.json:"
  fill_in meter_reader/asks.json reader >"$demo/reader.asks.json"
  local asks="$demo/reader.asks.json"
  if [ -c /dev/net/tun ]; then asks+=" examples/meter_reader/asks_tunnel.json"; fi
  run "examples/add_to_config.mjs $demo/reader $asks"
}

sign_manifests() {
  chapter "The owner signs what the app may have"
  run "owner keygen --out $demo/owner"
  say "The device trusts that key: from here on it starts nothing that the owner has not signed for."
  run "install -m 0644 $demo/owner.jwk $demo/etc/trust"
  fill_in meter_reader/manifest.json reader >"$demo/reader.json"
  run "sed -n '/\"grants\"/,\$p' $demo/reader.json"
  run "owner sign $demo/reader.json --key $demo/owner.key --out $demo/reader.jws"
  # For later: one that is valid now, for a moment.
  expiry=$(($(date +%s) + 3))
  sed "s/\"exp\": [0-9]*/\"exp\": $expiry/" "$demo/reader.json" >"$demo/reader.short.json"
  owner sign "$demo/reader.short.json" --key "$demo/owner.key" --out "$demo/reader.short.jws" >/dev/null
}

show_decisions() {
  chapter "What it asks for, and what it gets"
  shows '^- dropped +capability' "edgerun plan --bundle $demo/reader --manifest $demo/reader.jws | sed '/^\$/,\$d'"
}

look_inside() {
  chapter "From the inside: it holds"
  run "edgerun run --detach --bundle $demo/reader --manifest $demo/reader.jws demo-reader >$demo/reader.log 2>&1"
  wait_for "the first reading" "grep -q kWh $demo/reader.log"
  shows '4711 kWh' "cat $demo/reader.log"
  say "Of five capabilities, one is left, number 10: CAP_NET_BIND_SERVICE."
  shows '0000000000000400' "edgerun exec demo-reader grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/1/status"
  refused 'Operation not permitted' "edgerun exec demo-reader hostname mine"
  say "The readings are there to read, and there is no network."
  refused 'Read-only file system' "edgerun exec demo-reader touch /data/register"
  shows '^lo$' "edgerun exec demo-reader ls /sys/class/net"
  refused 'Network is unreachable' "edgerun exec demo-reader wget http://192.0.2.1/"
  say "Of the devices, only those that every container has, and the tunnel. 64 MiB of memory do not fit into 16."
  if [ -c /dev/net/tun ]; then run "edgerun exec demo-reader dd if=/dev/net/tun count=0 2>/dev/null && echo opened"; fi
  refused 'Operation not permitted' "edgerun exec demo-reader mknod /dev/mem c 1 1"
  refused 'exit code 137' "edgerun exec demo-reader dd if=/dev/zero of=/dev/null bs=64M count=1"
  say "Exit code 137: killed by the kernel, alone. The app still runs, and ends when it is told to."
  shows '"status": "running"' "edgerun state demo-reader | grep status"
  run "edgerun delete --force demo-reader"
}

ask_for_too_much() {
  chapter "The same app asks for the host's memory, called /dev/ttyS0, and for the host's files"
  run "cp -a $demo/reader $demo/reader.greedy"
  run "examples/add_to_config.mjs $demo/reader.greedy examples/meter_reader/asks_too_much.json"
  refused '! denied' "edgerun plan --bundle $demo/reader.greedy --manifest $demo/reader.jws | grep -E 'VERDICT|denied'"
  refused 'does not allow' "edgerun run --bundle $demo/reader.greedy --manifest $demo/reader.jws demo-reader"
}

show_bad_manifests() {
  chapter "Manifests that are not in order"
  say "One bit flipped:"
  run "sed 's/\\.e/.E/' $demo/reader.jws >$demo/reader.flipped.jws"
  refused 'signature is not valid' "edgerun run --bundle $demo/reader --manifest $demo/reader.flipped.jws demo-reader"
  say "Signed with a key that the device does not know:"
  owner keygen --out "$demo/owner.other" >/dev/null
  run "owner sign $demo/reader.json --key $demo/owner.other.key --out $demo/reader.other.jws"
  refused 'which is not in' "edgerun run --bundle $demo/reader --manifest $demo/reader.other.jws demo-reader"
  say "Signed to be valid for three seconds, a while ago:"
  wait_for "the end of its time" "[ \$(date +%s) -ge $expiry ]"
  refused 'expired' "edgerun run --bundle $demo/reader --manifest $demo/reader.short.jws demo-reader"
  say "Another app's:"
  run "owner sign examples/debian/manifest.json --key $demo/owner.key --out $demo/reader.wrong.jws"
  refused 'bound to image' "edgerun run --bundle $demo/reader --manifest $demo/reader.wrong.jws demo-reader"
  say "The right one, for another program in the image:"
  run "cp -a $demo/reader $demo/reader.shell && sed -i 's|\"/usr/bin/meter-reader\"|\"/bin/sh\"|' $demo/reader.shell/config.json"
  refused 'bound to args' "edgerun run --bundle $demo/reader.shell --manifest $demo/reader.jws demo-reader"
  say "None at all:"
  refused 'needs a signed manifest' "edgerun run --bundle $demo/reader demo-reader"
}

make_debian_bundle() {
  chapter "A Debian image, by debootstrap"
  local mirror
  mirror=$(find_debian_mirror)
  if [ -d "$demo/debian" ]; then
    say "The bundle is there from an earlier time. It was made like this:"
    show_command "debootstrap --variant=minbase $suite $demo/debian.new $mirror"
    show_command "examples/make_image.sh $demo/debian.new examples/debian/image.json $demo/debian.image"
    show_command "owner bundle $demo/debian.image --output $demo/debian"
    return
  fi
  say "This takes a minute, the first time."
  run "debootstrap --variant=minbase $suite $demo/debian.new $mirror >$demo/debootstrap.log"
  run "examples/make_image.sh $demo/debian.new examples/debian/image.json $demo/debian.image"
  run "owner bundle $demo/debian.image --output $demo/debian"
  rm -rf "$demo/debian.new" "$demo/debian.image"
}

run_debian() {
  fill_in debian/manifest.json debian >"$demo/debian.json"
  run "sed -n '/\"grants\"/,\$p' $demo/debian.json"
  run "owner sign $demo/debian.json --key $demo/owner.key --out $demo/debian.jws"
  say "A manifest can also lie where edgerun looks for it: by the image's digest."
  run "install -D -m 0644 $demo/debian.jws $demo/etc/manifests/$(digest_of debian | cut -d : -f 2).jws"
  run "edgerun run --detach --bundle $demo/debian demo-debian >$demo/debian.log 2>&1"
  run "edgerun exec demo-debian sh -c '. /etc/os-release; echo \$PRETTY_NAME, \$(dpkg -l | grep -c ^ii) packages'"
  say "A quarter of a CPU, 20 processes, 64 MiB:"
  run "edgerun exec demo-debian bash -c 'TIMEFORMAT=\"%R s by the clock, %U s of CPU time\"; time for i in {1..100000}; do :; done'"
  shows 'processes, then: Resource temporarily unavailable' \
    "edgerun exec demo-debian perl -e 'while (defined(\$p = fork)) { \$p || exec \"sleep\", 9; push @k, \$p } print @k+0, \" processes, then: \$!\\n\"; kill 9, @k; 1 while wait > 0'"
  refused 'exit code 137' "edgerun exec demo-debian perl -e '\$x = \"x\" x (256 << 20)'"
  run "edgerun delete --force demo-debian"
}

[ "${1:-}" = --without-debian ] || [ $# = 0 ] || fail "usage: demo.sh [--without-debian]"
prepare
introduce
make_reader_bundle
sign_manifests
show_decisions
look_inside
ask_for_too_much
show_bad_manifests
if [ "${1:-}" != --without-debian ]; then
  make_debian_bundle
  run_debian
fi
chapter "Nothing is left"
run "edgerun list"
say
say "What a manifest can grant: docs/manifest.md. By hand, on a device: docs/quick_start.md. With engines: docs/engines.md."
