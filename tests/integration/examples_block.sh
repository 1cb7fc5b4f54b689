#!/bin/bash
# examples_block.sh FILE: runs a block of a document in the current folder; what it exports or defines, the next one
# has, as if one person typed them all. For examples.sh.
set -eo pipefail
# shellcheck source=/dev/null
[[ ! -e environment ]] || source ./environment
# shellcheck source=/dev/null
source "./$1"
{
  for name in HOSTQ_URL HOSTQ_CA HOSTQ_KEY_FILE HOSTQ_SECRET_FILE HOSTQ_SEEN; do
    [[ ! ${!name-} ]] || declare -px "$name"
  done
  declare -f api || true
} >environment
