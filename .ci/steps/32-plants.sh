#!/usr/bin/env bash
# plants 8
# Bugs put in on purpose are caught by the simulator, and the product has none of them (tests/plants).
set -euo pipefail
cd "$(dirname "$0")/../.."
cmake --preset plant >/dev/null
cmake --build build/plant --target simulate -j "$(nproc)"
tests/plants/run build/plant/simulate build/release/tailwater
