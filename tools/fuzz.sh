#!/usr/bin/env bash
# Runs every fuzz target of a build for the given time, one after the other, and keeps what they find.
# Usage: tools/fuzz.sh BUILD_FOLDER SECONDS_EACH. Findings stay in BUILD_FOLDER/findings; any finding is a failure.
set -u
build=$1
seconds=$2
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$build/findings" "$build/corpus"
failed=0
ran=0
for target in "$build"/fuzz/*_fuzz; do
  [ -x "$target" ] || continue
  name=$(basename "$target")
  ran=$((ran + 1))
  mkdir -p "$build/corpus/$name"
  dictionary=()
  [ -f "$build/fuzz/$name.dict" ] && dictionary=(-dict="$build/fuzz/$name.dict")
  echo "fuzz: $name for $seconds s"
  if ! "$target" -max_total_time="$seconds" -max_len=65536 -print_final_stats=1 -rss_limit_mb=4096 \
    -artifact_prefix="$build/findings/$name-" "${dictionary[@]}" "$build/corpus/$name" >"$build/$name.log" 2>&1; then
    grep -m 1 -A 20 -E 'ERROR: |runtime error: ' "$build/$name.log"
    tail -n 8 "$build/$name.log"
    echo "fuzz: $name found something: see $build/findings"
    failed=$((failed + 1))
  fi
  grep -E 'stat::number_of_executed_units' "$build/$name.log" || true
done
echo "$((ran - failed)) passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$ran" -gt 0 ]
