#!/usr/bin/env bash
# The house rules that a machine can check. Usage: tools/tidy.sh [--no-format]
# Every finding names the file and what to do instead; the closing line counts them.
set -u
cd "$(dirname "$0")/.." || exit 2
findings=0
finding() {
  printf '%s\n' "$*"
  findings=$((findings + 1))
}
sources() { git ls-files --cached --others --exclude-standard -- "$@" | while read -r file; do [ -f "$file" ] && printf '%s\n' "$file"; done; }

# Size: one file, one idea.
while read -r lines file; do
  [ "$file" = total ] && continue
  [ "$lines" -gt 800 ] && finding "$file: $lines lines; split it by idea (800 at most)"
done < <(sources '*.cpp' '*.hpp' '*.sh' '*.py' '*.go' '*.java' '*.js' '*.mjs' | grep -v 'package-lock' | xargs wc -l)

# Banned in all C++.
while IFS=: read -r file line text; do
  finding "$file:$line: FIXME never reaches main; mend it or name an issue with TODO(#n): $text"
done < <(sources '*.cpp' '*.hpp' | xargs grep -nE 'FIXME' /dev/null)
while IFS=: read -r file line _; do
  finding "$file:$line: no 'using namespace' in headers"
done < <(sources '*.hpp' | xargs grep -nE '^\s*using namespace' /dev/null)
while IFS=: read -r file line _; do
  finding "$file:$line: include from the source root (\"room/file.hpp\"), not relative"
done < <(sources 'src/*.cpp' 'src/*.hpp' | xargs grep -nE '#include "(\.\./|[^/"]*")' /dev/null)
while IFS=: read -r file line _; do
  sed -n "$((line + 1)),$((line + 4))p" "$file" | grep -q 'throw;' || finding "$file:$line: never catch (...) and go on"
done < <(sources 'src/*.cpp' 'src/*.hpp' | xargs grep -nE 'catch \(\.\.\.\)' /dev/null)
while read -r file; do
  head -n 80 "$file" | grep -q '#pragma once' || finding "$file: a header begins with its comment and #pragma once"
done < <(sources 'src/*.hpp')

# Banned in pure rooms, with what to use instead.
pure='src/base src/wire src/records src/core src/node src/disk_model src/crash_states src/sim'
ban() {
  while IFS=: read -r file line _; do
    finding "$file:$line: $2"
  done < <(sources $(printf '%s/*.cpp %s/*.hpp ' $(for room in $pure; do echo "$room" "$room"; done)) |
    grep -v '_test\.cpp$' | xargs grep -nE "$1" /dev/null)
}
ban 'std::(chrono|thread|mutex|atomic|condition_variable)' 'pure rooms have no clock, thread or lock; time is handed in (base/time.hpp)'
ban 'std::(shuffle|uniform_(int|real)_distribution|mt19937)' "use base/prng.hpp: the standard's distributions differ between compilers"
ban 'std::unordered_(map|set)<.*> +[a-z_]+' 'HashMap of base/hash_map.hpp: its order is tried with another salt'
ban '\bthrow\b[^(]' 'pure rooms do not throw; return a Result'

# A test beside every file of a pure room.
while read -r file; do
  case "$file" in *_test.cpp) continue ;; esac
  [ -f "${file%.cpp}_test.cpp" ] || [ -n "$(ls "$(dirname "$file")"/*_test.cpp 2>/dev/null)" ] ||
    finding "$file: a pure room has tests beside its files; write ${file%.cpp}_test.cpp"
done < <(sources $(for room in $pure; do printf '%s/*.cpp ' "$room"; done))

# The written time table of CI is the one that runs.
table=$(sed -nE 's/^#   ([a-z_]+) +([0-9]+) +.*/\1 \2/p' .ci/run | sort)
steps=$({
  sed -nE 's/^step ([a-z_]+) ([0-9]+) .*/\1 \2/p' .ci/run
  for file in .ci/steps/*.sh; do sed -nE '2s/^# //p' "$file"; done
} | sort)
while read -r row; do
  [ -z "$row" ] || finding ".ci/run: its table and its steps differ in: $row (name and minutes)"
done < <(comm -3 <(printf '%s\n' "$table") <(printf '%s\n' "$steps"))

if [ "${1:-}" != --no-format ] && command -v clang-format-19 >/dev/null; then
  while read -r file; do
    clang-format-19 --dry-run -Werror "$file" >/dev/null 2>&1 || finding "$file: not formatted; run 'make fmt'"
  done < <(sources '*.cpp' '*.hpp')
fi

if [ "$findings" -gt 0 ]; then
  echo "tidy: $findings findings"
  exit 1
fi
echo "tidy: clean"
