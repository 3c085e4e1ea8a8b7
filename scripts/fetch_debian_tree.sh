#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Unpacks packages of another Debian suite, with all that they depend on, into a directory, and makes their programs
# run from there:
#   fetch_debian_tree.sh SUITE OUTPUT PACKAGE...
# The programs get the tree's own loader and libraries (patchelf, the tree's), so OUTPUT, absolute in them, can't be
# moved. Maintainers' scripts do not run. Nothing of the machine's own packages or apt state is used or changed.
# Does nothing where OUTPUT has these packages already.
set -euo pipefail
. "$(dirname "$0")/debian_mirror.sh"

suite=$1
output=$(realpath -m "$2")
packages=("${@:3}")
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
stamp=$output/.packages

fail() {
  echo "fetch_debian_tree: $1" >&2
  exit 1
}

# Downloads the packages and their dependencies, as for a machine that has none, into $work/cache/archives.
download() {
  local mirror
  mirror=$(find_debian_mirror)
  [ -n "$mirror" ] || fail "no Debian mirror is known: set EDGERUN_DEBIAN_MIRROR to one, or install debootstrap"
  [ -r "$keyring" ] || fail "$keyring is missing: install debian-archive-keyring"
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
  echo "deb [signed-by=$keyring] $mirror $suite main" >"$work/sources.list"
  : >"$work/status"
  local options=(
    -qq
    -o "Dir::Etc::SourceList=$work/sources.list"
    -o Dir::Etc::SourceParts=/dev/null
    -o "Dir::State::Lists=$work/lists"
    -o "Dir::State::status=$work/status"
    -o "Dir::Cache=$work/cache"
    -o Acquire::Languages=none
    -o APT::Sandbox::User=root # the download user could not write to our directory
  )
  apt-get "${options[@]}" update
  apt-get "${options[@]}" install --yes --no-install-recommends --download-only "${packages[@]}" patchelf >/dev/null
}

unpack() {
  local directory archive
  rm -rf "$output"
  for directory in bin sbin lib lib64; do
    mkdir -p "$output/usr/$directory"
    ln -s "usr/$directory" "$output/$directory"
  done
  for archive in "$work"/cache/archives/*.deb; do
    # Unlike dpkg-deb --extract, this keeps to links that are there, such as lib -> usr/lib.
    dpkg-deb --fsys-tarfile "$archive" | tar -C "$output" --extract --keep-directory-symlink --no-same-owner
  done
}

# Has every dynamic program of the tree use the tree's loader and libraries.
relocate() {
  local loader libraries file
  loader=$(find "$output"/usr/lib64 "$output"/usr/lib -name 'ld-linux*.so.*' | head -n 1)
  [ -n "$loader" ] || fail "no dynamic loader was unpacked"
  libraries=$(dirname "$(find "$output/usr/lib" -name libc.so.6 | head -n 1)")
  mv "$output/usr/bin/patchelf" "$work/"
  local patchelf=("$loader" --library-path "$libraries" "$work/patchelf")
  for file in $(find "$output"/usr/{bin,sbin,libexec} "$output"/usr/lib/{cni,podman,docker} -type f -perm -100 2>/dev/null); do
    "${patchelf[@]}" --print-interpreter "$file" >/dev/null 2>&1 || continue
    "${patchelf[@]}" --set-interpreter "$loader" --force-rpath --set-rpath "$libraries" "$file"
  done
}

[ "$(cat "$stamp" 2>/dev/null)" != "$suite ${packages[*]}" ] || exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
download
unpack
relocate
echo "$suite ${packages[*]}" >"$stamp"
