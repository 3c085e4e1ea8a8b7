# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# To be sourced: where this machine gets Debian from.

# Prints the Debian mirror that this machine's apt uses (in either of its two formats), else the one that debootstrap
# takes when it is given none; nothing if neither is known. EDGERUN_DEBIAN_MIRROR overrides both.
find_debian_mirror() {
  local files=(/etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources) mirror
  mirror=${EDGERUN_DEBIAN_MIRROR:-$({ cat "${files[@]}" 2>/dev/null || true; } | awk '
    /^[[:space:]]*#/ { next }
    { for (i = 1; i <= NF; i++) if ($i ~ /^[a-z+]+:\/\/.*\/debian\/?$/) { print $i; exit } }')}
  if [ -z "$mirror" ] && command -v debootstrap >/dev/null; then
    mirror=$(sed -n 's/^DEF_MIRROR="\(.*\)"$/\1/p' "$(command -v debootstrap)")
  fi
  echo "$mirror"
}
