#!/usr/bin/env bash
# crash_states 4
# States that a power loss may leave, in the three disk modes: each must recover (docs/crash_states.md).
set -euo pipefail
cd "$(dirname "$0")/../.."
cmake --build build/release --target crash_states -j "$(nproc)"
build/release/crash_states --states 20000
build/release/crash_states --sequences 1 --quiet
