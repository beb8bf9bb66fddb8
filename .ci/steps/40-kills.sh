#!/usr/bin/env bash
# kills 10
# kill -9, sleep and second brokers under load: nothing acknowledged is lost, there twice, or visible though aborted.
set -euo pipefail
cd "$(dirname "$0")/../.."
export INTEROP_CACHE=${INTEROP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tailwater/interop}
python3 -B -m unittest discover -q -s tests/kills -p '*_test.py'
tests/kills/run --tailwater build/release/tailwater --cycles 50 --seed 1 --require-all
tests/kills/run --tailwater build/release/tailwater --cycles 15 --seed 2 --shards 3 --require-all
tests/kills/run --tailwater build/release/tailwater --cycles 15 --seed 3 --shards 1,2,3 --require-all
tests/kills/run --tailwater build/release/tailwater --cycles 10 --seed 4 --shards 1,2 --durability os --require-all
tests/kills/exactly_once --tailwater build/release/tailwater --shards 1,3 --require-all
