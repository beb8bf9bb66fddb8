#!/usr/bin/env bash
# A broker with its data in FOLDER and a trickle of records into it, for commit_probe.sh to watch: every record waits
# for the disk, and so few of them, a block of 4 KiB each, that a quarter of the first journal is not full before the
# watching ends: then a segment would be written. Usage: broker_under_load.sh PROGRAM FOLDER. Ends when it is told to, or
# when the broker does.
set -eu
program=$1
folder=$2
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
trap 'exit 0' TERM

"$program" dev --data "$folder/data" --port 0 --override tailwater.admin.listener= >"$folder/banner" &
broker=$!
until grep -q '^Ctrl-C' "$folder/banner"; do
  kill -0 "$broker"
  sleep 0.1
done
address=$(awk '$1 == "Broker" { print $2 }' "$folder/banner")
# The first record makes the topic, which is metadata; what is watched begins after it.
"$program" produce load -B "$address" --template first --count 1 -q
"$program" produce load -B "$address" --template 'event %i' --rate 100 -X linger.ms=0 -q &
touch "$folder/under_load"
wait -n
echo "broker_under_load: the broker or the producer ended" >&2
exit 1
