#!/usr/bin/env bash
# readme 1
# Every command of the README, typed against the program, and the three that it prints.
set -euo pipefail
cd "$(dirname "$0")/../.."
tests/readme/run build/release/tailwater
