#!/usr/bin/env bash
# fuzz 8
# Every fuzz target for half a minute: enough to see that it runs and that nothing near the surface broke.
set -euo pipefail
cd "$(dirname "$0")/../.."
cmake --preset fuzz >/dev/null
cmake --build build/fuzz --target fuzz/all -j "$(nproc)"
tools/fuzz.sh build/fuzz 30
