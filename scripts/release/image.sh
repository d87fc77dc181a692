#!/usr/bin/env bash
# image.sh TARGET ARCHITECTURE IMAGE.tar: builds an image as the release does, to an OCI archive. BUILD_IMAGE is the base
# image by digest. What else the files depend on is the commit, and the Debian packages of its day.
set -euo pipefail
target=$1 architecture=$2 archive=$3
: "${BUILD_IMAGE:?is not set. Fix: set it to docker.io/library/node@sha256:...}"
label=org.opencontainers.image
# buildah does not compare labels when it takes an image from its cache: the gate would keep those of the version before.
buildah rmi "wimds-release:$target-$architecture" >/dev/null 2>&1 || true
# A time of its own for each file or commit would make each layer another one with each release.
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
