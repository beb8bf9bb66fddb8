#!/usr/bin/env bash
# sanitizers 22
# With AddressSanitizer and UndefinedBehaviorSanitizer: the tests of the rooms up to the shell, and a whole broker in the
# simulator and over crash states.
set -euo pipefail
cd "$(dirname "$0")/../.."
.ci/sanitized asan base wire records core_journal core_cache core_log core_cluster core_group core_txn core_session \
  disk_model node shell
cmake --build build/asan -j "$(nproc)" --target simulate crash_states
build/asan/simulate --seeds 60 --quiet
build/asan/crash_states --states 4600 --quiet  # a course of each workload
