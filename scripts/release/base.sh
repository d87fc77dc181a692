#!/bin/sh
# base.sh: prints the base image of the Dockerfile with its current digest.
set -eu
image=$(sed -n 's/^ARG BUILD_IMAGE=//p' Dockerfile)
skopeo inspect --no-tags --format '{{.Name}}@{{.Digest}}' "docker://${1:-$image}"
