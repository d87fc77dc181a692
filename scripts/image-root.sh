#!/bin/bash
# image-root.sh ROOT FILE|PACKAGE...: copies files of this Debian to ROOT, and with a program the libraries that it loads. For the
# package of each file, and for each PACKAGE, it copies the licence and the entry in dpkg's database, by which scanners find the
# package. The Dockerfile runs it.
set -euo pipefail
root=$1
status=$root/var/lib/dpkg/status.d
mkdir -p "$status"

# Prints the package that owns a file. Since / and /usr were merged, dpkg may know the file by another path.
find_package() {
  local path
  for path in "$1" "/usr$1" "${1#/usr}"; do
    if dpkg-query --search "$path" 2>/dev/null | cut -d: -f1; then return; fi
  done
  echo "image-root.sh: no package owns $1" >&2
  return 1
}

add_package() {
  dpkg-query --status "$1" >"$status/$1"
  # A base image may lack the licences of its packages, to be small.
  if [ -e "/usr/share/doc/$1/copyright" ]; then cp -L --parents "/usr/share/doc/$1/copyright" "$root"; fi
}

for item in "${@:2}"; do
  case $item in
    /*)
      libraries=$(ldd "$item" 2>/dev/null | grep -o '/[^ )]*') || libraries=
      for file in "$item" $libraries; do
        cp -L --parents "$file" "$root"
        package=$(find_package "$file")
        add_package "$package"
      done
      ;;
    *) add_package "$item" ;;
  esac
done
cp -L --parents /usr/share/common-licenses/* "$root"
