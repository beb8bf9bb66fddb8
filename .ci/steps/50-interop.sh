#!/usr/bin/env bash
# interop 20
# Real clients against the real binary. This step reports and does not refuse yet: the suite has passed client by client,
# but never whole on a quiet machine. Once it has, the two lines that swallow a failure go.
set -uo pipefail
cd "$(dirname "$0")/../.."
timeout 900 tests/interop/run --start build/release/tailwater >build/interop.log 2>&1 ||
  echo "interop: FAILED or not whole; the table below says what (this step does not guard main yet)"
tail -n 60 build/interop.log
exit 0
