#!/usr/bin/env bash
# site/collect.sh OUT: builds the site of main, checked out here, and of each release to OUT, with a page that lists them.
set -euo pipefail
out=$(realpath -m "$1")
trees=$(mktemp --directory)
trap 'rm -rf "$trees"; git worktree prune' EXIT
mkdir -p "$out"

build() {
  npm --prefix "$1" run --silent docs:site
  cp -r "$1/site/dist/." "$out"
}
build .
for tag in $(git tag --list 'v*.*.*'); do
  git cat-file -e "$tag:site/package.json" 2>/dev/null || continue
  git worktree add --quiet --detach "$trees/$tag" "$tag"
  build "$trees/$tag"
done

{
  echo '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
  echo '<title>wimds</title><h1>Documentation of wimds</h1><ul>'
  for version in $(cd "$out" && ls --directory -- */ | tr -d / | sort --version-sort --reverse); do
    case $version in main) note=' (not released)' ;; *) note= ;; esac
    echo "<li><a href=\"$version/\">$version</a>$note"
  done
  echo '</ul>'
} >"$out/index.html"
cp "$out/main/404.html" "$out/404.html"
