#!/usr/bin/env bash
# sealed 3
# Apache Kafka's own dump tool reads what a killed broker left, once it is sealed, and what compaction left.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PEERS_CACHE=${PEERS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tailwater/peers}
tests/sealed/run --tailwater build/release/tailwater
tests/compaction/run --tailwater build/release/tailwater --kafka
