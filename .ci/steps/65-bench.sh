#!/usr/bin/env bash
# bench 6
# Each scenario of the bench for a moment, without other systems: that it works and loses nothing, not how fast it is.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PEERS_CACHE=${PEERS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tailwater/peers}
python3 bench/lib/lib_test.py
bench/run --smoke --ours
