#!/usr/bin/env bash
# image.sh TARGET ARCHITECTURE IMAGE.tar: builds an image as the release does, as an OCI archive. BUILD_IMAGE is the base image by
# digest. Apart from it, the files depend only on the commit and on the Debian packages of the commit's day.
set -euo pipefail
target=$1 architecture=$2 archive=$3
: "${BUILD_IMAGE:?is not set. Fix: set it to docker.io/library/node@sha256:...}"
label=org.opencontainers.image
# buildah does not compare labels when it takes an image from its cache, so the gate would keep the labels of the previous version.
buildah rmi "wimds-release:$target-$architecture" >/dev/null 2>&1 || true
# All files have the time 0. With other times, every layer would change with every release.
buildah build --layers --identity-label=false --timestamp 0 --target "$target" --platform "linux/$architecture" \
  --build-arg "BUILD_IMAGE=$BUILD_IMAGE" \
  --build-arg "DEBIAN_SNAPSHOT=${DEBIAN_SNAPSHOT-$(TZ=UTC git log -1 --format=%cd --date=format-local:%Y%m%dT000000Z)}" \
  --label "$label.version=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' package.json)" \
  --label "$label.revision=$(git rev-parse HEAD)" \
  --label "$label.base.name=${BUILD_IMAGE%@*}" --label "$label.base.digest=${BUILD_IMAGE#*@}" \
  --label "$label.source=https://github.com/wimds/wimds" --label "$label.licenses=Apache-2.0" \
  --tag "wimds-release:$target-$architecture" .
rm -f "$archive"
buildah push --quiet --compression-format zstd --compression-level 19 \
  "wimds-release:$target-$architecture" "oci-archive:$archive"
