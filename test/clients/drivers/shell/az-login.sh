#!/bin/sh
# az login --identity, which lists subscriptions, and then az account get-access-token.
# Arguments: AZ VARIANT RESOURCE [KIND ID]; AZ is the program. VARIANT `username` is az until 2.69,
# which detects the kind of an id by itself.
set -eu
az=$1
option=--username
test "$2" = username || option="--${4:-}"
export AZURE_CONFIG_DIR="$HOME/.azure" AZURE_CORE_COLLECT_TELEMETRY=no
"$az" login --identity ${5:+"$option" "$5"} --output none
"$az" account get-access-token --resource "$3" --query accessToken --output tsv |
  sed 's/.*/{"token":"&"}/'
