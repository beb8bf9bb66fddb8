#!/usr/bin/env bash
# kills 8
# kill -9 under load: nothing acknowledged is lost, nothing is there twice.
set -euo pipefail
cd "$(dirname "$0")/../.."
tests/kills/run --tailwater build/release/tailwater --cycles 50 --seed 1
tests/kills/run --tailwater build/release/tailwater --cycles 15 --seed 2 --shards 3
