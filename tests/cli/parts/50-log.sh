# The files of a stopped broker: dump, verify, seal and rebuild, whole and with damage made on purpose.
if [ -z "$given" ]; then
logs=$work/logs

# on_folder FOLDER WORDS...: starts a broker on the folder, runs WORDS with its address in TAILWATER_BROKERS, and
# ends the broker with the signal $ending.
on_folder() {
  local folder=$1 line address= pid banner
  shift
  exec {banner}< <(exec "$program" dev --data "$folder" --override tailwater.shards=1 --override tailwater.admin.listener= \
    --override listeners=PLAINTEXT://127.0.0.1:0 --override advertised.listeners=PLAINTEXT://127.0.0.1:0 2>"$work/folder.err")
  pid=$!
  while read -r -t 30 -u "$banner" line; do
    case $line in
      Broker*) address=${line##* } ;;
      Ctrl-C*) break ;;
    esac
  done
  TAILWATER_BROKERS=$address "$@"
  kill "-$ending" "$pid" 2>/dev/null
  wait "$pid" 2>/dev/null
  exec {banner}<&-
}
# flip FILE POSITION...: turns a bit of each of these bytes; a negative position counts from the end.
flip() {
  python3 - "$@" <<'PY'
import sys
with open(sys.argv[1], "r+b") as file:
    size = file.seek(0, 2)
    for at in map(int, sys.argv[2:]):
        at = at if at >= 0 else size + at
        file.seek(at)
        byte = file.read(1)[0] ^ 0x10
        file.seek(at)
        file.write(bytes([byte]))
PY
}
content_of() { (cd "$1" && find . -type f ! -name .lock ! -name 'metadata.sqlite*' | sort | xargs sha256sum); }
damaged() { rm -rf "$work/hurt" && cp -r "$logs" "$work/hurt"; }
segment=orders-0/00000000000000000000.log
index=orders-0/00000000000000000000.index

fill() {
  run 0 topic create orders -p 1
  local each
  for each in 1 2 3 4 5 6; do
    run 0 produce orders -k key --template "record %i of round $each, which has some length to it" --count 200 -z none
  done
  run 1 log verify "$logs"; err_has "in use by process"; err_has "stop that broker first"
  run 1 log seal "$logs"; err_has "in use by process"
}

run 2 log verify
run 2 log verify "$work" --format xml; err_has "not one of"
run 1 log verify "$work/nowhere"; err_has "is no folder"
mkdir -p "$work/empty"
run 1 log dump "$work/empty"; err_has "is no log directory"
[ -z "$(ls -A "$work/empty")" ] || failed "a look leaves nothing behind"
run 2 log dump "$work" -p 1; err_has "--partition needs --topic"

ending=KILL
on_folder "$logs" fill

# After a crash: what was produced is in the journal; verify looks at it without changing anything.
before=$(content_of "$logs")
run 0 log verify "$logs"; out_has "whole: "; out_has "1,200 records"; err_is_empty
grep -qE "; a start replays [0-9.]+ KiB from the journal$" out || failed "how much a start replays expected"
run 0 log verify "$logs" --format json
json "it['whole'] and it['records']==1200 and it['journal_bytes']>50000 and it['damages']==[]"
run 0 log dump "$logs" -t orders; err_has "the records of orders-0 are only in the journal: --journal shows"
run 1 log dump "$logs" -t nope; err_has "there is no topic 'nope' in $logs"
run 0 log dump "$logs" --journal; err_is_empty; out_has "superblock A"; out_has "frame at LSN"; out_has "create       orders-0"; out_has "batches"
[ "$(content_of "$logs")" = "$before" ] || failed "verify and dump change nothing"

# A bit of a frame that was settled: never cut, never guessed, and nothing is changed.
damaged
run 0 log dump "$work/hurt" --journal --format json
flip "$work/hurt/journal/0.jnl" "$(python3 -c "
import json
frames=[json.loads(line) for line in open('out') if '\"kind\":\"frame\"' in line]
print(8192+frames[len(frames)//2]['lsn']+100)")"
hurt=$(content_of "$work/hurt")
run 1 log verify "$work/hurt"; out_has "journal/0.jnl: a start fails: the journal journal/0.jnl is damaged at "
run 0 log dump "$work/hurt"; out_has "; DAMAGED there"
run 1 log seal "$work/hurt"; err_has "the journal journal/0.jnl is damaged at "
run 1 log rebuild "$work/hurt"; err_has "the journal journal/0.jnl is damaged at "; err_has "cannot be mended"
run 1 log rebuild "$work/hurt" --drop-damaged; err_has "cannot be mended"
[ "$(content_of "$work/hurt")" = "$hurt" ] || failed "a damaged journal stays as it is"

# What root mends still belongs to the broker's user.
if [ "$(id -u)" = 0 ]; then
  damaged
  chmod a+x "$work" && chown -R 65534:65534 "$work/hurt"
  run 0 log seal "$work/hurt"
  [ -z "$(find "$work/hurt" ! -user 65534)" ] || failed "all of it belongs to the owner of the folder"
fi

run 0 log seal "$logs"; out_has "sealed "; out_has "came out of the journal"
run 0 log verify "$logs"; out_has "1,200 records"; out_has "; a start replays 0 bytes from the journal"
run 0 log seal "$logs"; out_has "0 bytes came out of the journal"

# A log directory that the broker cannot use: who reads to the end is told.
damaged
mkdir "$work/whole" && mv "$work/hurt"/metadata.sqlite* "$work/whole" && rm "$work/hurt/journal/0.jnl"
consume_offline() {
  run 1 consume orders -e --timeout 1s; err_has "orders[0]: nothing came for 1000 ms"
}
on_folder "$work/whole,$work/hurt" consume_offline

run 0 log dump "$logs" -t orders --records; out_has "orders-0: offsets 0 to 1200"; out_has "checksum ok"; out_has "record 7 of round 3"
out_lacks "CHECKSUM WRONG"
err_is_empty
run 1 log dump "$logs" -t orders -p 7; out_lacks "orders-0: offsets"; err_has "there is no topic 'orders' with a partition 7"
run 0 log dump "$logs" --format json
python3 -c "
import json
lines=[json.loads(line) for line in open('out')]
batches=[each for each in lines if each['kind']=='batch']
assert sum(each['records'] for each in batches)==1200 and all(each['crc_ok'] for each in batches), batches
assert any(each['kind']=='index_entry' for each in lines)" 2>>err || failed "the batches as JSON lines"

# A bit of a batch: found, named, not served, and nothing mends it.
damaged
flip "$work/hurt/$segment" 300
run 1 log verify "$work/hurt"; out_has "$segment at byte 0: the checksum of the batch"; out_has "damaged in 1 place"
run 1 log verify "$work/hurt" --format json; json "not it['whole'] and it['damages'][0]['file']=='$segment' and it['damages'][0]['position']==0"
run 0 log dump "$work/hurt" -t orders; out_has "CHECKSUM WRONG"
run 1 log rebuild "$work/hurt"; err_has "some segments are damaged"; err_has "--drop-damaged"
consume_damaged() {
  run 1 consume orders -o :end; err_has "CORRUPT_MESSAGE"
  run 0 consume orders -o 1100 -n 1 -f '%o\n'; out_is 1100
}
ending=TERM
on_folder "$work/hurt" consume_damaged
grep -q "$segment is damaged at byte 0" folder.err || { cp folder.err err; failed "the broker says what is damaged"; }

# Only where it is wished is it taken out: the rest is served without a detour, and the bytes are kept.
run 0 log rebuild "$work/hurt" --drop-damaged; out_has "bytes at 0 were taken out"
[ -s "$work/hurt/$segment.0.damaged" ] || failed "what was taken out is kept"
run 0 log verify "$work/hurt"; out_has "whole: "
consume_rest() {
  run 0 consume orders -o :end -f '%o\n'
  { [ "$(wc -l <out)" -ge 1000 ] && [ "$(wc -l <out)" -lt 1200 ]; } || failed "all but the damaged batch expected"
}
on_folder "$work/hurt" consume_rest

# Indexes are made anew: damaged, cut short, gone.
for harm in "flip $work/hurt/$index 3" "truncate -s 4 $work/hurt/$index" "rm $work/hurt/$index"; do
  damaged
  $harm
  run 1 log verify "$work/hurt"; out_has "$index: "; out_has "'tailwater log rebuild' makes it anew"
  run 0 log rebuild "$work/hurt"; out_has "$index: made anew"
  run 0 log verify "$work/hurt"; out_has "whole: "
  run 0 log rebuild "$work/hurt"; out_is "nothing had to be made anew"
done
still_there() { run 0 consume orders -o :end -f '%o\n'; lines_are 1200; }
on_folder "$work/hurt" still_there

# One copy of manifest and superblock heals the other.
manifest=$(cd "$logs" && ls manifest/0-[0-9]* | sort -V | tail -1)
damaged
flip "$work/hurt/$manifest" 40
run 1 log verify "$work/hurt"; out_has "$manifest: one of its two copies is damaged"
on_folder "$work/hurt" still_there
damaged
flip "$work/hurt/journal/0.jnl" 50
run 1 log verify "$work/hurt"; out_has "one of the two copies of superblock A is wrong"
on_folder "$work/hurt" still_there
run 0 log verify "$work/hurt"

# Both copies of a manifest: the broker does not guess; rebuild makes it from the one before and the segments.
# The second journal is there as soon as a topic asks for it, its second manifest after a start.
with_both() { run 0 topic create quick --config tailwater.durability=os; }
for journal in 0 0-os; do
  damaged
  on_folder "$work/hurt" with_both
  on_folder "$work/hurt" still_there
  manifest=$(cd "$work/hurt" && ls "manifest/$journal"-[0-9]* | sort -V | tail -1)
  flip "$work/hurt/$manifest" 40 -40
  run 1 log verify "$work/hurt"; out_has "a start fails: manifest $manifest: the manifest's checksum does not match"
  run 0 log rebuild "$work/hurt"; out_has "made from manifest/$journal-"
  run 0 log verify "$work/hurt"; out_has "whole: "
  on_folder "$work/hurt" still_there
done
fi
