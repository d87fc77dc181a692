#!/usr/bin/env bash
# Sends the request of fluent-bit's out_azure_kusto over a plain socket: unencoded resource, a later
# api-version, no Accept header.
set -eu
selector=${4:+client_id=$4&}
path="/metadata/identity/oauth2/token?api-version=2021-02-01&${selector}resource=$2"
request="GET $path HTTP/1.1\r\nHost: 169.254.169.254\r\nMetadata: true\r\nConnection: close\r\n\r\n"
exec 3<>/dev/tcp/169.254.169.254/80
printf '%b' "$request" >&3
token=$(grep -o '"access_token":"[^"]*"' <&3 | cut -d '"' -f 4)
echo "{\"token\":\"$token\"}"
