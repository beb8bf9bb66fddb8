#!/usr/bin/env bash
# bench 3
# Each scenario of the bench for a moment, against Tailwater alone: that it works and loses nothing, not how fast it is.
set -euo pipefail
cd "$(dirname "$0")/../.."
python3 bench/lib/lib_test.py
bench/run --smoke --alone
