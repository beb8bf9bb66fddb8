#!/usr/bin/env bash
# loads 4
# A load through kcat and Java arrives byte for byte, also over restarts of the broker.
set -euo pipefail
cd "$(dirname "$0")/../.."
export INTEROP_CACHE=${INTEROP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tailwater/interop}
tests/loads/run --tailwater build/release/tailwater --small --shards 1 --require-all
