#!/usr/bin/env bash
# publish.sh REGISTRY BUILT [NPM_REGISTRY]: publishes this version as REGISTRY/wimds, REGISTRY/wimds-redirect,
# REGISTRY/wimds-cluster, REGISTRY/wimds-gate and REGISTRY/charts/wimds, and the npm package. The folder BUILT has
# TARGET-ARCHITECTURE/image.tar of each image and package/wimds-VERSION.tgz. Log in to the registries first.
#
# BUILD_IMAGE: the base image by digest. COSIGN_OPTIONS: options of cosign, such as --key FILE; by default cosign signs with the
# identity of the workflow. ARCHITECTURES: the architectures of the images, by default amd64 and arm64.
set -euo pipefail
registry=$1 built=$2
version=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' package.json)
commit=$(git rev-parse HEAD)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
read -ra options <<<"${COSIGN_OPTIONS:-}"
read -ra architectures <<<"${ARCHITECTURES:-amd64 arm64}"

# attest REFERENCE SBOM: signs an image or chart, given by its digest, and attests its provenance and its SBOM.
attest() {
  cosign sign --yes --recursive "${options[@]}" "$1"
  cosign attest --yes --type slsaprovenance1 --predicate "$work/provenance.json" "${options[@]}" "$1"
  cosign attest --yes --type cyclonedx --predicate "$2" "${options[@]}" "$1"
}

source=${GITHUB_SERVER_URL:-https://github.com}/${GITHUB_REPOSITORY:-wimds/wimds}
cat >"$work/provenance.json" <<END
{
  "buildDefinition": {
    "buildType": "$source/blob/v$version/docs/verify-a-release.md",
    "externalParameters": { "source": "git+$source@refs/tags/v$version" },
    "resolvedDependencies": [
      { "uri": "git+$source@refs/tags/v$version", "digest": { "gitCommit": "$commit" } },
      { "uri": "${BUILD_IMAGE%@*}", "digest": { "sha256": "${BUILD_IMAGE#*@sha256:}" } }
    ]
  },
  "runDetails": {
    "builder": { "id": "$source/.github/workflows/publish.yml@refs/tags/v$version" },
    "metadata": { "invocationId": "${GITHUB_RUN_ID:-none}" }
  }
}
END

chart=$work/wimds
cp -r charts/wimds "$chart"
sed -i "/^global:/,/^  imageRegistry:/s|^  imageRegistry: ''|  imageRegistry: $registry|" "$chart/values.yaml"
sed -i "s|image: ghcr.io/wimds/|image: $registry/|" "$chart/Chart.yaml"
references=()
for target in sidecar redirect cluster gate; do
  name=$registry/wimds-$target value=${target}Image
  if [ "$target" = sidecar ]; then name=$registry/wimds value=image; fi
  archives=() list=wimds-release-$target
  buildah manifest rm "$list" >/dev/null 2>&1 || true
  buildah manifest create "$list"
  for architecture in "${architectures[@]}"; do
    archives+=("$built/$target-$architecture/image.tar")
    buildah manifest add "$list" "oci-archive:${archives[-1]}"
  done
  buildah manifest push --all --format oci --digestfile "$work/digest" "$list" "docker://$name:$version"
  digest=$(cat "$work/digest")
  node scripts/release/image-sbom.mjs "$name" "$version" "${archives[@]}" >"$work/sbom.json"
  attest "$name@$digest" "$work/sbom.json"
  sed -i "/^$value:/,/^  digest:/s|^  digest: ''|  digest: $digest|" "$chart/values.yaml"
  references+=("$name:$version@$digest")
done

helm package "$chart" --version "$version" --app-version "$version" --destination "$work"
helm push "$work/wimds-$version.tgz" "oci://$registry/charts" 2>&1 | tee "$work/push.log"
digest=$(grep -o 'sha256:[0-9a-f]*' "$work/push.log" | head -n 1)
node scripts/chart-sbom.mjs "$work/wimds-$version.tgz" "$version" "${references[@]}" >"$work/sbom.json"
attest "$registry/charts/wimds@$digest" "$work/sbom.json"

if [ -n "${3:-}" ]; then
  npm publish "$built/package/wimds-$version.tgz" --registry "$3" --access public --ignore-scripts
fi
