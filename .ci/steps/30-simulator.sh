#!/usr/bin/env bash
# simulator 26
# 1,000 seeds with faults, once with each compiler, and a part of them twice in one process: all digests must agree, and
# every kind of fault must have fired. A seed that fails ends the step (docs/simulator.md). The second compiler's hash maps
# have another order: none may show.
set -euo pipefail
cd "$(dirname "$0")/../.."
seeds=1000
cmake --build build/release --target simulate -j "$(nproc)"
build/release/simulate --seeds 100 --twice --quiet
clang=$(build/release/simulate --seeds $seeds --quiet | tee >(cat >&2) | tail -n 1)
cmake --preset gcc -DCMAKE_CXX_FLAGS=-DTAILWATER_HASH_SALT=0x7a11 >/dev/null
cmake --build build/gcc --target simulate -j "$(nproc)"
gcc=$(build/gcc/simulate --seeds $seeds --quiet | tee >(cat >&2) | tail -n 1)
if [ "$clang" != "$gcc" ]; then
  echo "simulator: the compilers disagree: clang says $clang, g++ says $gcc"
  exit 1
fi
