#!/usr/bin/env bash
# interop 14
# Real clients against the real binary, everything with one shard, and produce, consume, groups and transactions with
# three. The clients are installed once into the user's cache folder. Whatever fails, or cannot be run, refuses.
set -euo pipefail
cd "$(dirname "$0")/../.."
export CI=true INTEROP_CACHE=${INTEROP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tailwater/interop}
python3 -B -m unittest discover -q -s tests/interop/driver -p '*_test.py'
tests/interop/run --start build/release/tailwater --shards 1,3
