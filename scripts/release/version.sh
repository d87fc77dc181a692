#!/usr/bin/env bash
# version.sh VERSION: makes this checkout a release: writes the version number, the heading of the changelog, and links to the tag.
# `version.sh main` begins the next version: writes the heading Unreleased, and links to main.
set -euo pipefail
version=$1
if [ "$version" = main ]; then
  ref=main
  sed -i '0,/^## /s//## Unreleased\n\n## /' CHANGELOG.md
elif [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]]; then
  ref=v$version
  sed -i "0,/^## Unreleased$/s//## $version, $(date -u +%F)/" CHANGELOG.md
  npm version --no-git-tag-version --allow-same-version --workspaces=false "$version" >/dev/null
  sed -i "s/^export const VERSION = .*/export const VERSION = '$version'/" src/lib/version.ts
  sed -i -E "s/^(version|appVersion): .*/\1: $version/; s#(image: ghcr.io/wimds/[a-z-]+):.*#\1:$version#" \
    charts/wimds/Chart.yaml
else
  echo "version.sh: $version is not a version. Fix: pass three numbers, or main" >&2
  exit 64
fi
grep -rlE 'wimds/(blob/)?(main|v[0-9])' src charts examples \
  | xargs sed -i -E "s#wimds/(blob/)?(main|v[0-9]+\.[0-9]+\.[0-9]+)\b#wimds/\1$ref#g"
# The Node of the project, if it is installed: the script needs Node 22.
PATH=$PWD/node_modules/.bin:$PATH node scripts/not-published.mjs
