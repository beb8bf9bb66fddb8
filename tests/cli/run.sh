#!/usr/bin/env bash
# Every command of the program against a broker that it starts itself: what they print and what they exit with.
#
#   tests/cli/run.sh [PROGRAM [HOST:PORT]]     PROGRAM: build/release/tailwater unless given; with HOST:PORT it talks
#                                              to the fresh broker there, which may be Apache Kafka's
#
# Guarantees: no file and no process is left behind; no port is taken that another broker wants.
# Waits on what it waits for, never on the clock. The last line says how many checks failed.
set -u -o pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
program=$(realpath "${1:-$root/build/release/tailwater}") || exit 2
given=${2:-}
[ -x "$program" ] || { echo "run.sh: there is no program $program" >&2; exit 2; }

work=$(mktemp -d)
broker_pid=
finish() {
  [ -n "$broker_pid" ] && kill -TERM "$broker_pid" 2>/dev/null && wait "$broker_pid" 2>/dev/null
  rm -rf "$work"
}
trap finish EXIT
cd "$work" || exit 2

checks=0
failures=0
failed() {
  failures=$((failures + 1))
  printf 'FAILED %s\n  %s\n  code %s\n' "$name" "$1" "$code"
  sed 's/^/  out: /' out | head -20
  sed 's/^/  err: /' err | head -20
}

# run CODE WORDS...: runs the program, keeps its output in out and err, and checks the exit code.
run() {
  local wanted=$1
  shift
  checks=$((checks + 1))
  name="tailwater $*"
  timeout 60 "$program" "$@" >out 2>err
  code=$?
  [ "$code" = "$wanted" ] || failed "exit code $wanted expected"
}
# With standard input: feed TEXT CODE WORDS...; TEXT is for printf.
feed() {
  local text=$1
  shift
  # shellcheck disable=SC2059
  printf "$text" >in
  run "$@" <in
}
# full CODE WORDS...: as run, with a standard output that takes nothing.
full() {
  local wanted=$1
  shift
  checks=$((checks + 1))
  name="tailwater $* >/dev/full"
  timeout 60 "$program" "$@" >/dev/full 2>err
  code=$?
  : >out
  [ "$code" = "$wanted" ] || failed "exit code $wanted expected"
  err_has "cannot write to standard output: No space left on device"
}
out_is() { [ "$(cat out)" = "$1" ] || failed "output expected: $1"; }
out_has() { grep -qF -- "$1" out || failed "output with '$1' expected"; }
out_lacks() { grep -qF -- "$1" out && failed "output without '$1' expected"; return 0; }
err_has() { grep -qF -- "$1" err || failed "error with '$1' expected"; }
err_is_empty() { [ ! -s err ] || failed "no error expected"; }
lines_are() { [ "$(wc -l <out)" = "$1" ] || failed "$1 lines expected"; }
# json EXPRESSION: output is one JSON value, for which the Python expression (of it) holds.
json() { python3 -c "import json,sys; it=json.load(open('out')); sys.exit(0 if ($1) else 1)" 2>>err || failed "JSON with $1 expected"; }

start_broker() {
  [ -n "$given" ] && { export TAILWATER_BROKERS=$given; return; }
  exec {banner}< <(exec "$program" dev --data "$work/data" \
    --override listeners=PLAINTEXT://127.0.0.1:0 2>"$work/broker.err")
  broker_pid=$!
  local line address=
  while read -r -t 30 -u "$banner" line; do
    case $line in
      Broker*) address=${line##* } ;;
      Ctrl-C*) break ;;
    esac
  done
  [ -n "$address" ] || { echo "run.sh: the broker did not start:" >&2; cat broker.err >&2; exit 1; }
  export TAILWATER_BROKERS=$address
}

for part in "$root"/tests/cli/parts/*.sh; do
  [ "$(basename "$part")" = 00-offline.sh ] && { . "$part"; start_broker; continue; }
  . "$part"
done

echo "$checks commands, $failures failed"
[ "$failures" = 0 ]
