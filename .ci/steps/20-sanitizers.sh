#!/usr/bin/env bash
# sanitizers 14
# Unit tests of every room with AddressSanitizer and UndefinedBehaviorSanitizer.
set -euo pipefail
cd "$(dirname "$0")/../.."
cmake --preset asan >/dev/null
cmake --build build/asan -j "$(nproc)"
ctest --test-dir build/asan --output-on-failure -j "$(nproc)" --timeout 300 -LE integration
