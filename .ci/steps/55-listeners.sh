#!/usr/bin/env bash
# listeners 2
# A broker behind another address, reached from other network namespaces.
set -euo pipefail
cd "$(dirname "$0")/../.."
tests/listeners/run --tailwater build/release/tailwater --require
tests/listeners/run --tailwater build/release/tailwater --require --shards 3
