#!/bin/sh
# release-image.sh TARGET IMAGE.tar: builds an image for this machine's architecture as the release does, to an OCI
# archive. BUILD_IMAGE is the base image by digest. What else the bytes depend on is the commit, and BuildKit.
set -eu
target=$1 archive=$2
: "${BUILD_IMAGE:?is not set. Fix: set it to docker.io/library/node@sha256:...}"
BUILDKIT=moby/buildkit:v0.23.2
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export BUILD_IMAGE SOURCE_DATE_EPOCH
docker buildx inspect wimds-release >/dev/null 2>&1 \
  || docker buildx create --name wimds-release --driver docker-container --driver-opt "image=$BUILDKIT"
shift 2
docker buildx build . --builder wimds-release --target "$target" --build-arg BUILD_IMAGE \
  --build-arg "DEBIAN_SNAPSHOT=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%dT000000Z)" \
  --annotation "org.opencontainers.image.base.name=${BUILD_IMAGE%@*}" \
  --annotation "org.opencontainers.image.base.digest=${BUILD_IMAGE#*@}" \
  --annotation "org.opencontainers.image.revision=$(git rev-parse HEAD)" \
  --provenance=false "$@" --output "type=oci,dest=$archive,rewrite-timestamp=true"
