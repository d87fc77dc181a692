#!/bin/sh
# How scripts asked the VM extension, before IMDS gave tokens: a form posted to port 50342.
set -eu
token=$(curl -sf -H Metadata:true --data "resource=$2" http://localhost:50342/oauth2/token |
  grep -o '"access_token":"[^"]*"' | cut -d '"' -f 4)
echo "{\"token\":\"$token\"}"
