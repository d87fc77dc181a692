#!/bin/sh
# rclone with --azureblob-use-msi: writes a blob, reads it back, and prints the token that the
# request carried. Arguments: RCLONE VARIANT RESOURCE [KIND ID]; RCLONE is the program to call.
set -eu
rclone=$1
case "${4:-}" in
  client-id) set -- --azureblob-msi-client-id "$5" ;;
  object-id) set -- --azureblob-msi-object-id "$5" ;;
  resource-id) set -- --azureblob-msi-mi-res-id "$5" ;;
  *) set -- ;;
esac
set -- --config /dev/null --ca-cert "$WIMDS_TEST_CA_FILE" --retries 1 --azureblob-use-msi \
  --azureblob-account devstoreaccount1 "$@"
content='written and read by rclone'
echo "$content" | "$rclone" "$@" rcat :azureblob:rclone/file.txt
read_back=$("$rclone" "$@" --dump auth cat :azureblob:rclone/file.txt 2>"$HOME/requests")
test "$read_back" = "$content"
token=$(grep -o -m 1 'Authorization: Bearer .*' "$HOME/requests" | tr -d '\r' | cut -d ' ' -f 3)
echo "{\"token\":\"$token\"}"
