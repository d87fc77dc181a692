#!/usr/bin/env bash
# Runs the suite on a cluster of kind: three nodes, IPv4 and IPv6, with images of this checkout.
# KUBERNETES=VERSION chooses another version. Needs docker and Go; deletes the cluster at its end.
set -euo pipefail
cd "$(dirname "$0")/../.."
kubernetes=${KUBERNETES:-1.37.2}
name=wimds-e2e
registry=wimds.example
work=$(mktemp -d)
export PATH=$work/bin:$PATH KUBECONFIG=$work/kubeconfig

cleanup() {
  if command -v kind >/dev/null; then kind delete cluster --name "$name" || true; fi
  rm -rf "$work"
}
trap cleanup EXIT

GOBIN=$work/bin go install sigs.k8s.io/kind@v0.33.0
command -v helm >/dev/null || GOBIN=$work/bin go install helm.sh/helm/v3/cmd/helm@v3.22.0
GOBIN=$work/helm-4 go install helm.sh/helm/v4/cmd/helm@v4.3.1
export HELMS=helm:$work/helm-4/helm

npm run --silent setup
npm run --silent package -- --registry "$registry" --tag e2e
export WIMDS_IMAGE=$registry/wimds:e2e
export WIMDS_REDIRECT_IMAGE=$registry/wimds-redirect:e2e
export WIMDS_CLUSTER_IMAGE=$registry/wimds-cluster:e2e
export WIMDS_GATE_IMAGE=$registry/wimds-gate:e2e
export WIMDS_E2E_IMAGE=$registry/wimds-e2e:e2e
mkdir "$work/image"
cp -r dist test/e2e/image/* "$work/image"
docker build --tag "$WIMDS_E2E_IMAGE" "$work/image"

# kind builds the node image from the release of Kubernetes, for the architecture of this machine.
kind build node-image "v$kubernetes" --image "kindest/node:v$kubernetes"
kind create cluster --name "$name" --image "kindest/node:v$kubernetes" --wait 3m --config - <<END
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
networking:
  ipFamily: dual
nodes:
  - role: control-plane
  - role: worker
  - role: worker
END
# The node image has the kubectl of that version.
docker exec "$name-control-plane" cat /usr/bin/kubectl >"$work/bin/kubectl"
chmod +x "$work/bin/kubectl"
kind load docker-image --name "$name" \
  "$WIMDS_IMAGE" "$WIMDS_REDIRECT_IMAGE" "$WIMDS_CLUSTER_IMAGE" "$WIMDS_GATE_IMAGE" "$WIMDS_E2E_IMAGE"
kubectl get nodes --output wide

LOSE_NODE="docker kill \"\$NODE\"" npm run --silent test:e2e
