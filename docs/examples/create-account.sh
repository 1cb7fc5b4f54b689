#!/bin/bash
# create-account.sh DOMAIN USER ADDRESS: creates an account, and asks until it is there.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=api.sh
source "$(dirname "$0")/api.sh"
domain=$1 user=$2 address=$3

# The same Idempotency-Key again is the same command: if no answer came, just run this once more.
command=$(api POST /v1/commands --header "idempotency-key: create-$domain" \
  --json "{\"spec\": {\"createAccount\": {\"domain\": \"$domain\", \"user\": \"$user\",
           \"address\": \"$address\", \"quotaBytes\": 10737418240}}}" | jq -r .command.id)
echo "accepted as $command"

for ((delay = 1;; delay = delay < 30 ? delay * 2 : 30)); do
  state=$(api GET "/v1/commands/$command" | jq -r .state)
  [[ $state == ACTIVE ]] || break
  sleep "$delay"
done
echo "$domain: $state"
if [[ $state != SUCCEEDED ]]; then
  # Why, on which node, and what to do.
  api GET "/v1/commands/$command" | jq -r '.tasks[] | select(.outcome != "SUCCEEDED") | "\(.node): \(.reason): \(.message)"'
  exit 1
fi
