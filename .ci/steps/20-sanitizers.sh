#!/usr/bin/env bash
# sanitizers 18
# Tests of the rooms that read foreign bytes first, with AddressSanitizer and UndefinedBehaviorSanitizer.
set -euo pipefail
cd "$(dirname "$0")/../.."
cmake --preset asan >/dev/null
targets=()
for room in base wire records; do
  targets+=("tailwater_${room}_test")
done
cmake --build build/asan -j "$(nproc)" --target "${targets[@]}"
for target in "${targets[@]}"; do
  program=$(find build/asan -type f -name "$target" -perm -u+x | head -n 1)
  echo "sanitizers: $target"
  "$program" --gtest_brief=1
done
