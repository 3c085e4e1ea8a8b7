#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds the validation programs of opencontainers/runtime-tools, runs them with edgerun, runc and crun, and compares:
#   run.sh [OPTION...]        options: those of main.ts
# The suite comes through the Go module proxy, at one version, and is built once, into build/conformance. runc and crun
# are Debian unstable's, where they can be had, since older ones refuse the suite's version of the specification; else
# those in PATH. Needs root: the programs make containers.
set -euo pipefail
cd "$(dirname "$0")/.."

module=github.com/opencontainers/runtime-tools
version=v0.9.1-0.20251114084447-edf4cb3d2116
suite=$PWD/build/conformance/$version
# What the suite's go.mod asks for; where the distribution's Go is older, it fetches the toolchain below.
go_minimum=1.21
toolchain=golang.org/toolchain@v0.0.1-go1.21.13.linux

fail() {
  echo "conformance: $1" >&2
  exit 1
}

# Prints the directory of a module, which is downloaded if need be.
module_directory() {
  (cd / && GO111MODULE=on go mod download "$1" && GO111MODULE=on go list -m -f '{{.Dir}}' "$1")
}

go_is_recent() {
  local found
  found=$(go env GOVERSION 2>/dev/null) || return 1
  [ "$(printf '%s\n' "$go_minimum" "${found#go}" | sort -V | head -n 1)" = "$go_minimum" ]
}

# Leaves a `go` of $go_minimum or later in PATH.
ensure_go() {
  export PATH="$PATH:/usr/local/go/bin"
  if ! command -v go >/dev/null; then
    DEBIAN_FRONTEND=noninteractive apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends golang-go ca-certificates >/dev/null
  fi
  if ! go_is_recent; then
    local directory copy=$PWD/build/conformance/go
    if [ ! -x "$copy/bin/go" ]; then
      directory=$(module_directory "$toolchain-$(go env GOARCH)")
      # A copy, since modules are unpacked without their permissions.
      rm -rf "$copy"
      mkdir -p "$(dirname "$copy")"
      cp -r "$directory" "$copy.new"
      chmod -R u+w "$copy.new"
      chmod +x "$copy.new"/bin/* "$copy.new"/pkg/tool/*/*
      mv "$copy.new" "$copy"
    fi
    export GOROOT=$copy PATH="$copy/bin:$PATH"
    go_is_recent || fail "Go $go_minimum or later is needed"
  fi
}

# The programs unpack rootfs-GOARCH.tar.gz; upstream has one for amd64 and 386.
make_rootfs_archive() {
  local root
  root=$(mktemp -d)
  mkdir -p "$root"/{bin,dev,etc,proc,sys,tmp}
  cp "$(command -v busybox)" "$root/bin/busybox"
  "$root/bin/busybox" --list | grep -vx busybox | xargs -I{} ln -s busybox "$root/bin/{}"
  chmod 0755 "$root"
  tar -C "$root" -czf "$1" .
  rm -rf "$root"
}

# Everything goes to a directory that gets its name when it is complete.
build_suite() {
  local source arch
  ensure_go
  source=$(module_directory "$module@$version")
  arch=$(go env GOARCH)
  rm -rf "$suite.new"
  mkdir -p "$suite.new/programs"
  # A module from the proxy comes without what it has vendored; -mod=readonly takes that from the proxy, too.
  (
    cd "$source"
    export CGO_ENABLED=0 GOFLAGS=-buildvcs=false
    go build -mod=readonly -ldflags=-s -o "$suite.new/programs/" ./validation/...
    go build -mod=readonly -ldflags=-s -o "$suite.new/runtimetest" ./cmd/runtimetest
  )
  if [ -f "$source/rootfs-$arch.tar.gz" ]; then
    install -m 0644 "$source/rootfs-$arch.tar.gz" "$suite.new/"
  else
    make_rootfs_archive "$suite.new/rootfs-$arch.tar.gz"
  fi
  mv "$suite.new" "$suite"
}

[ "$(id -u)" = 0 ] || fail "needs root: the programs make containers"
[ -d "$suite" ] || build_suite

# --check is for edgerun alone, and needs no peers.
if [ "${1-}" = --check ]; then
  set -- --runtimes edgerun=build/edgerun "$@"
elif scripts/fetch_debian_tree.sh sid build/trees/runtimes runc crun; then
  export PATH="$PWD/build/trees/runtimes/usr/sbin:$PWD/build/trees/runtimes/usr/bin:$PATH"
fi

node_modules/.bin/esbuild conformance/main.ts --bundle --platform=node --format=esm --log-level=warning \
  --outfile=build/conformance/main.mjs
exec conformance/with_v1_cgroups.sh node build/conformance/main.mjs --suite "$suite" \
  --output build/conformance/results.json "$@"
