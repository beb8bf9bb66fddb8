#!/usr/bin/env bash
# sanitizers 18
# The tests of the rooms up to the shell with AddressSanitizer and UndefinedBehaviorSanitizer.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec .ci/sanitized asan base wire records core_journal core_cache core_log core_cluster core_group core_session node shell
