# shellcheck shell=bash
# Functions of the stages. A stage sources this file; .ci/run gives it the folder LOGS, which lasts until the last stage.
# shellcheck disable=SC2034 # the stages use these
set -uo pipefail
kit=${CLUSTER_KIT:-../shared/cluster}
dotnet_kit=${DOTNET_KIT:-../shared/dotnet}
kit_home=${CLUSTER_HOME:-$HOME/.cache/cluster-kit}
# The container runtime of the kit's nodes, with network namespaces where each version has them by default.
export CRI=${CRI:-containerd:2.1.9} NETNS_STATE=0

# skip REASON: ends a stage that cannot run here.
skip() {
  echo "$1"
  exit 77
}

# programs PROGRAM[=PACKAGE]...: installs the Debian packages of missing programs, by default those of the same name. The
# suites skip their tests where that is impossible.
programs() {
  local missing=() each
  for each in "$@"; do command -v "${each%%=*}" >/dev/null || missing+=("${each#*=}"); done
  if [ "${#missing[@]}" -eq 0 ] || [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then return; fi
  echo "── apt-get install ${missing[*]}"
  { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } \
    >"$LOGS/apt" 2>&1 || echo "not installed: $(tail -n 1 "$LOGS/apt")"
}

# set_up: installs the packages and builds dist/, once in a run; a stage that needs them ends with it if it fails.
set_up() {
  if [ -e "$LOGS/is-set-up" ]; then return; fi
  npm run --silent setup || exit 1
  touch "$LOGS/is-set-up"
}

# build_images SOURCES OUT: builds the images to OUT. The targets share their layers. Debian's part is made once a run and
# the rest for each OUT: an instruction of this one's own in each stage keeps the layers of other builds away.
build_images() {
  local options="--layers --timestamp 0"
  sed -E "s|^FROM .* AS debian$|&\nRUN : $LOGS|; s|^FROM .* AS build$|&\nRUN : $2|" "$1/Dockerfile" >"$LOGS/Dockerfile"
  IMAGE_ARGS=$options "$kit/image" "$1" wimds:dev "$2/sidecar.tar" "$LOGS/Dockerfile" || return
  IMAGE_ARGS="$options --target redirect" "$kit/image" "$1" wimds-redirect:dev "$2/redirect.tar" "$LOGS/Dockerfile" || return
  IMAGE_ARGS="$options --target cluster" "$kit/image" "$1" wimds-cluster:dev "$2/cluster.tar" "$LOGS/Dockerfile" || return
  IMAGE_ARGS="$options --target gate" "$kit/image" "$1" wimds-gate:dev "$2/gate.tar" "$LOGS/Dockerfile"
}

# build_go PACKAGE NAME: builds a program in the folder NAME, unless it is there; says on standard error why it cannot.
build_go() {
  if [ -e "$LOGS/$2" ]; then
    return
  elif ! command -v go >/dev/null; then
    echo "$1 cannot be built: go is not installed" >&2
  elif ! GOBIN="$LOGS/$2" timeout 900 go install "$1" >"$LOGS/go-$2" 2>&1; then
    echo "$1 cannot be built: $(tail -n 1 "$LOGS/go-$2")" >&2
  fi
}
build_helm4() { build_go helm.sh/helm/v4/cmd/helm@v4.3.1 helm-4; }
