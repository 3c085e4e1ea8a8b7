#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes an OCI image layout of one layer from a root file system, with nothing but tar and coreutils:
#   make_image.sh ROOTFS CONFIG OUTPUT
# CONFIG is a JSON file with what goes into the image config's "config" (Cmd, Env, User ...). The same files give the
# same digest (their modification times belong to the layer, and so to the digest). OUTPUT is replaced.
set -euo pipefail

rootfs=$1
config=$2
output=$3

case $(uname -m) in
x86_64) architecture=amd64 ;;
aarch64) architecture=arm64 ;;
arm*) architecture=arm ;;
*) architecture=$(uname -m) ;;
esac

# Moves a file among the blobs, under the name of its digest, and prints that.
add_blob() {
  local hex
  hex=$(sha256sum "$1" | cut -d ' ' -f 1)
  mv "$1" "$work/blobs/sha256/$hex"
  echo "$hex"
}

# A descriptor (image-spec descriptor.md) of a blob.
describe() {
  local media_type=$1 hex=$2
  printf '{"mediaType":"application/vnd.oci.image.%s","digest":"sha256:%s","size":%d}' \
    "$media_type" "$hex" "$(stat -c %s "$work/blobs/sha256/$hex")"
}

work=$(mktemp -d "$output.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/blobs/sha256"

tar -C "$rootfs" --sort=name --numeric-owner --xattrs --xattrs-include='security.capability' -cf "$work/layer" .
layer=$(add_blob "$work/layer") # not compressed, so the blob's digest is the diffID, too

printf '{"architecture":"%s","os":"linux","config":%s,"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
  "$architecture" "$(cat "$config")" "$layer" >"$work/config"
config_blob=$(add_blob "$work/config")

printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":%s,"layers":[%s]}' \
  "$(describe config.v1+json "$config_blob")" "$(describe layer.v1.tar "$layer")" >"$work/manifest"
manifest=$(add_blob "$work/manifest")

printf '{"schemaVersion":2,"manifests":[%s]}' "$(describe manifest.v1+json "$manifest")" >"$work/index.json"
printf '{"imageLayoutVersion":"1.0.0"}' >"$work/oci-layout"

chmod 0755 "$work"
rm -rf "$output"
mv "$work" "$output"
trap - EXIT
