#!/usr/bin/env bash
# site/collect.sh OUT: builds the site of main, checked out here, and of each release to OUT, with versions.html, which lists them,
# and an index.html that leads to the newest release, or to main before the first one.
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

versions=$(cd "$out" && ls --directory -- */ | tr -d / | sort --version-sort --reverse)
{
  echo '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
  echo '<title>Versions of wimds</title><h1>Versions of wimds</h1><ul>'
  for version in $versions; do
    case $version in main) note=' (not released)' ;; *) note= ;; esac
    echo "<li><a href=\"$version/\">$version</a>$note"
  done
  echo '</ul>'
} >"$out/versions.html"
newest=$(grep --max-count=1 '^v' <<<"$versions" || echo main)
{
  echo '<!doctype html><html lang="en"><meta charset="utf-8"><title>wimds</title>'
  echo "<meta http-equiv=\"refresh\" content=\"0; url=$newest/\"><a href=\"$newest/\">wimds</a>"
} >"$out/index.html"
cp "$out/main/404.html" "$out/404.html"
