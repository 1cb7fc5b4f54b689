# shellcheck shell=bash
# To be sourced: api METHOD PATH [CURL OPTIONS...] calls the manager and prints its answer.
#   HOSTQ_URL=https://10.0.0.1:7446  HOSTQ_CA=ca.pem  HOSTQ_KEY_FILE=key
# The key goes in on standard input: on the command line every user of the machine could read it.
api() {
  local method=$1 path=$2
  shift 2
  curl --silent --show-error --fail-with-body --max-time 60 --cacert "$HOSTQ_CA" --request "$method" \
    --header @- "$@" "$HOSTQ_URL$path" <<<"authorization: Bearer $(<"$HOSTQ_KEY_FILE")"
}
