#!/usr/bin/env bash
# threads 10
# The tests of the rooms that have threads, with ThreadSanitizer.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec .ci/sanitized tsan shell
