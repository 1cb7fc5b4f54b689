#!/bin/bash
# wait-events.sh COMMAND: shows what happens to a command until it has ended. Comes back by itself after
# an interruption, with the event it saw last.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=api.sh
source "$(dirname "$0")/api.sh"
command=$1 last=0

while :; do
  while IFS= read -r line; do
    line=${line%$'\r'}
    case $line in
      id:*) last=${line#id: } ;;
      event:*) event=${line#event: } ;;
      data:*)
        echo "${event-}: $(jq -r '[.node, .toPhase, .message] | map(select(. != "")) | join(" ")' <<<"${line#data: }")"
        [[ ${event-} != COMMAND_FINISHED ]] || exit 0
        ;;
    esac
  done < <(api GET "/v1/events?commandId=$command" --no-buffer --max-time 3600 --header "last-event-id: $last")
  sleep 2
done
