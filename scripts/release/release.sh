#!/usr/bin/env bash
# release.sh REGISTRY [ARCHITECTURE...]: builds this version and publishes it in a registry by publish.sh. An architecture other
# than this machine's needs qemu. If NPM_REGISTRY is set, also publishes the npm package there.
set -euo pipefail
registry=$1
shift
if [ "$#" -eq 0 ]; then set -- amd64; fi
if [ -z "${BUILD_IMAGE:-}" ]; then BUILD_IMAGE=$(scripts/release/base.sh); fi
export BUILD_IMAGE
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
npm run --silent package
mkdir "$built/package"
cp artifacts/wimds-*.tgz "$built/package/"
build_images() {
  for target in sidecar redirect cluster gate; do
    mkdir "$built/$target-$1"
    scripts/release/image.sh "$target" "$1" "$built/$target-$1/image.tar"
  done
}
# Builds the architectures in parallel, as the workflow does.
builds=()
for architecture in "$@"; do
  build_images "$architecture" &
  builds+=($!)
done
for each in "${builds[@]}"; do wait "$each"; done
ARCHITECTURES=$* scripts/release/publish.sh "$registry" "$built" ${NPM_REGISTRY:+"$NPM_REGISTRY"}
