#!/usr/bin/env bash
# tools.sh NAME FOLDER: builds a program of the release in the version that the rehearsal uses, unless the folder has the program.
set -euo pipefail
case $1 in
  registry) package=github.com/distribution/distribution/v3/cmd/registry@v3.1.2 ;;
  cosign) package=github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3 ;;
  *)
    echo "tools.sh: there is no program $1. Fix: pass registry or cosign" >&2
    exit 64
    ;;
esac
if [ -e "$2/$1" ]; then exit; fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
GOFLAGS='' CGO_ENABLED=0 GOBIN=$folder go install -trimpath -ldflags='-s -w' "$package"
mkdir -p "$2"
mv "$folder/$1" "$2/$1"
