#!/usr/bin/env bash
# Shows: the federated credentials of a preview environment, which has its own namespace.
# Usage: credentials.sh create MANIFESTS | check MANIFESTS | delete
# Needs: wimds, jq, and az, signed in with the role Managed Identity Contributor in the resource group. The variables ISSUER of the
# cluster, RESOURCE_GROUP of the identities, and NAMESPACE of the environment.
# Works for managed identities only. An identity can have 20 credentials, over all environments and clusters.
set -euo pipefail

action=${1:?create, check or delete}
: "${ISSUER:?is not set}" "${RESOURCE_GROUP:?is not set}" "${NAMESPACE:?is not set}"
prefix="system:serviceaccount:$NAMESPACE:"
files=$(mktemp --directory)
trap 'rm -rf "$files"' EXIT

# Prints client id and name of each identity of the resource group.
identities() {
  jq --raw-output '.[] | [.clientId, .name] | @tsv' "$files/identities.json"
}

# Lists the identities, and the credentials of each.
list() {
  mkdir -p "$files/existing"
  az identity list --resource-group "$RESOURCE_GROUP" --output json > "$files/identities.json"
  identities | while IFS=$'\t' read -r client name; do
    az identity federated-credential list --identity-name "$name" --resource-group "$RESOURCE_GROUP" \
      --output json > "$files/existing/$client.json" < /dev/null
  done
}

trust() {
  wimds trust --issuer "$ISSUER" --namespace "$NAMESPACE" --identities "$files/identities.json" \
    --existing "$files/existing" "$@"
}

create() {
  # A pull request must not get a credential for another namespace.
  trust --output json "$1" > "$files/plan.json"
  jq --raw-output --arg prefix "$prefix" \
    '.identities[].credentials[].subject | select(startswith($prefix) | not)' "$files/plan.json" > "$files/others"
  if [ -s "$files/others" ]; then
    echo "these subjects are not of the namespace $NAMESPACE, so no credential was created:" >&2
    cat "$files/others" >&2
    exit 1
  fi
  trust --output az "$1" > "$files/create.sh"
  bash "$files/create.sh"
  list
  trust --check "$1"
}

# Deletes all credentials of the namespace, even credentials that only an earlier commit needed.
delete() {
  identities | while IFS=$'\t' read -r client identity; do
    jq --raw-output --arg prefix "$prefix" --arg issuer "$ISSUER" \
      '.[] | select(.issuer == $issuer and (.subject | startswith($prefix))) | .name' "$files/existing/$client.json" |
      while read -r name; do
        az identity federated-credential delete --identity-name "$identity" \
          --resource-group "$RESOURCE_GROUP" --name "$name" --yes < /dev/null
        # Azure rejects more than one change of an identity in four seconds.
        sleep 4
      done
  done
}

list
case $action in
  create) create "${2:?the manifests}" ;;
  check) trust --check "${2:?the manifests}" ;;
  delete) delete ;;
  *)
    echo "the action is $action. Fix: pass create, check or delete" >&2
    exit 64
    ;;
esac
