#!/bin/sh
# az login --identity, which goes on to list subscriptions, and a token as scripts take it.
# Arguments: AZ VARIANT RESOURCE [KIND ID]; AZ is the program to call. Of the VARIANT `username` is
# az until 2.69, which finds out by itself which kind of id it was given.
set -eu
az=$1
option=--username
test "$2" = username || option="--${4:-}"
export AZURE_CONFIG_DIR="$HOME/.azure" AZURE_CORE_COLLECT_TELEMETRY=no
"$az" login --identity ${5:+"$option" "$5"} --output none
"$az" account get-access-token --resource "$3" --query accessToken --output tsv |
  sed 's/.*/{"token":"&"}/'
