#!/bin/sh
# Gets a token as start-up scripts do: by curl, and by grep in a body of one line.
# Arguments: VARIANT RESOURCE [KIND ID]
set -eu
case "${3:-}" in
  client-id) selector="&client_id=$4" ;;
  object-id) selector="&object_id=$4" ;;
  resource-id) selector="&msi_res_id=$4" ;;
  *) selector= ;;
esac
url="http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=$2$selector"
token=$(curl -sf -H Metadata:true "$url" | grep -o '"access_token":"[^"]*"' | cut -d '"' -f 4)
echo "{\"token\":\"$token\"}"
