#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Fetches QuickJS as Debian's source package of trixie and unpacks it, with Debian's patches, into OUTPUT:
#   fetch_quickjs.sh OUTPUT
# apt checks the package against the distribution's keyring. The mirror is the one that this machine uses already; on
# Ubuntu, debootstrap's default for Debian. EDGERUN_DEBIAN_MIRROR overrides both. Nothing of the machine's own apt
# configuration or state is changed.
set -euo pipefail

output=$1
upstream=2025-04-26
suite=trixie
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

fail() {
  echo "fetch_quickjs: $1" >&2
  exit 1
}

# The first Debian mirror in the machine's apt sources, in either of the two formats.
mirror_of_apt() {
  local files=(/etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources)
  { cat "${files[@]}" 2>/dev/null || true; } | awk '
    /^[[:space:]]*#/ { next }
    { for (i = 1; i <= NF; i++) if ($i ~ /^[a-z+]+:\/\/.*\/debian\/?$/) { print $i; exit } }'
}

# The mirror that debootstrap takes when it is given none.
mirror_of_debootstrap() {
  sed -n 's/^DEF_MIRROR="\(.*\)"$/\1/p' "$(command -v debootstrap)" /dev/null
}

if [ -f "$output/quickjs.c" ] && [ "$(cat "$output/VERSION")" = "$upstream" ]; then exit 0; fi

mirror=${EDGERUN_DEBIAN_MIRROR:-$(mirror_of_apt)}
mirror=${mirror:-$(mirror_of_debootstrap)}
[ -n "$mirror" ] || fail "no Debian mirror is known: set EDGERUN_DEBIAN_MIRROR to one, or install debootstrap"
[ -r "$keyring" ] || fail "$keyring is missing: install debian-archive-keyring"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
echo "deb-src [signed-by=$keyring] $mirror $suite main" >"$work/sources.list"
options=(
  -qq
  -o "Dir::Etc::SourceList=$work/sources.list"
  -o Dir::Etc::SourceParts=/dev/null
  -o "Dir::State::Lists=$work/lists"
  -o "Dir::Cache=$work/cache"
  -o Acquire::Languages=none
  -o APT::Sandbox::User=root # the download user could not write to our directory
)
apt-get "${options[@]}" update
(cd "$work" && apt-get "${options[@]}" source quickjs >/dev/null)

source=$(echo "$work"/quickjs-*/)
[ -f "$source/VERSION" ] || fail "the source package did not unpack"
version=$(cat "$source/VERSION")
[ "$version" = "$upstream" ] || fail "expected QuickJS $upstream, found $version"
rm -rf "$output"
mkdir -p "$(dirname "$output")"
mv "${source%/}" "$output"
