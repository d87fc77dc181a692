#!/bin/sh
# Open Policy Agent with the credentials azure_managed_identity: prints the token with which it asked for a bundle.
# Arguments: OPA VARIANT RESOURCE [KIND ID]; OPA is the program to call.
set -eu
opa=$1
credentials=services.storage.credentials.azure_managed_identity
case "${4:-}" in
  client-id) identity=client_id ;;
  object-id) identity=object_id ;;
  resource-id) identity=mi_res_id ;;
  *) identity= ;;
esac
take_last_token() { curl -sS --cacert "$WIMDS_TEST_CA_FILE" "$WIMDS_TEST_LAST_TOKEN_URL"; }
take_last_token >/dev/null # An earlier client may have left its token.
"$opa" run --server --disable-telemetry --addr "unix://$HOME/opa.sock" \
  --set services.storage.url=https://wimdstest.blob.core.windows.net \
  --set "$credentials.resource=$3" ${identity:+--set "$credentials.$identity=$5"} \
  --set bundles.shop.service=storage >"$HOME/opa.log" 2>&1 &
trap 'kill -9 $!' EXIT
token=
while [ -z "$token" ]; do
  kill -0 $! || { cat "$HOME/opa.log" >&2 && exit 1; }
  sleep 0.2
  token=$(take_last_token)
done
echo "{\"token\":\"$token\"}"
