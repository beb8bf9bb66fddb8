#!/usr/bin/env bash
# power 6
# Power cuts under load: nothing acknowledged is lost. First that the file system used for it does lose what was not synced.
set -euo pipefail
cd "$(dirname "$0")/../.."
export INTEROP_CACHE=${INTEROP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tailwater/interop}
cmake --build build/release --target power_file_system
tests/power/lost --file-system build/release/power_file_system --require
cuts=(tests/power/run --tailwater build/release/tailwater --file-system build/release/power_file_system --require-all)
"${cuts[@]}" --on ext4 --cycles 25 --seed 1 --shards 1,2,3
"${cuts[@]}" --on fuse --cycles 12 --seed 2
