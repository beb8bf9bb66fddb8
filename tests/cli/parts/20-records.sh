# Records in and out.
run 0 topic create lines
feed 'one\n\nthree' 0 produce lines; out_is ""; err_has "3 records to lines"
run 0 consume lines -e; out_is "$(printf 'one\n\nthree')"; err_is_empty
full 1 consume lines -e
run 0 consume lines -o 1:2 -f '[%v] %o %V\n'; out_is "[] 1 0"
run 0 consume lines -o -1 -e; out_is "three"
run 0 consume lines -o +2 -n 1; out_is "three"
run 0 consume lines -o :end; lines_are 3
run 0 consume lines -o :2; lines_are 2
run 0 consume lines -o end -e; out_is ""
run 0 consume lines --tail 2 -e; lines_are 2
run 0 consume lines -o 5 -e; out_is ""; err_has "lines[0] ends at offset 3: there is no offset 5 yet"
run 0 consume lines -o 5:7; out_is ""; err_has "lines[0] ends at offset 3"
run 0 consume lines -o @-1h:end; lines_are 3
run 0 consume lines -o @-2h:-1h; lines_are 0
run 0 consume lines -o @2020-01-01:2020-01-02 -e; lines_are 0
run 0 consume lines -e --grep '^t'; out_is "three"
run 0 consume lines -e --meta-only; out_has "lines[0]@1"; out_has "value 0"
run 0 consume lines -e -f '%[ %] %a{timestamp-type}\n' -n 1; out_has "0 3 CreateTime"
run 1 consume linse; err_has "did you mean 'lines'?"
run 2 consume lines -p 4 -e; err_has "there is no partition 4"
run 0 produce lines --template 'n%i' --count 3 --format json; json "it['records']==3 and it['failed']==0 and it['partitions'][0]['first_offset']==3"
run 0 consume lines -o 3:6; out_is "$(printf 'n1\nn2\nn3')"
run 0 produce lines --template x --count 6 --rate 100 --format json -q; err_is_empty; json "it['milliseconds']>=50"
run 0 produce lines <&-; err_has "0 records to lines"
seq 1 20000 >in; run 0 produce lines <in; err_has "20,000 records"
run 0 consume lines -o -20000 -e; cmp -s in out || failed "20000 lines in their order expected"
feed 'a\nb\n' 0 produce lines --count 1; err_has "1 record to lines"

# Keys go where the Java client sends them.
feed 'foobar\ta\na-little-bit-long-string\tb\na-little-bit-longer-string\tc\n' 0 produce orders -f '%k\t%v\n'
run 0 consume orders -e -f '%p %k=%v\n'; sort -o out out
out_is "$(printf '0 foobar=a\n2 a-little-bit-long-string=b\n5 a-little-bit-longer-string=c')"
run 0 consume orders -e -p 2,5 --key longer; out_is "c"
feed 'x\n' 2 produce orders -p 6; err_has "no partition 6"
feed 'x\n' 0 produce orders -p 4 -k key -H h=1 -H null -H empty=
run 0 consume orders -e -p 4 --format json; json "it['key']=='key' and it['headers']==[{'key':'h','value':'1'},{'key':'null','value':None},{'key':'empty','value':''}]"
run 0 consume orders -e --header h=1; out_is "x"
run 0 consume orders -e --header h=2; out_is ""
feed 'broken\n' 1 produce orders -f '%k\t%v\n'; err_has "record 1: there is no"

# Bytes of every kind, by every codec and by both lossless ways.
python3 -c "import sys; sys.stdout.buffer.write(bytes(range(256))*4)" >bytes
for codec in none gzip snappy lz4 zstd; do
  run 0 topic create "codec-$codec"
  run 0 produce "codec-$codec" -z $codec -f %v <bytes
  run 0 consume "codec-$codec" -e -f raw; cmp -s bytes out || failed "the same bytes expected"
done
run 0 consume codec-zstd -e -f hex; out_has "000102"
run 0 topic create copy
feed 'k\tv\n\\xff' 0 produce copy -k '' -f '%v'
feed '\n' 0 produce copy -Z -H a=b
run 0 consume copy -e -f json; lines_are 2; err_is_empty
cp out first
run 0 topic create copy2
run 0 produce copy2 -i json <first; err_has "2 records"
run 0 consume copy2 -e -f json; sed -i s/copy2/copy/ out; cmp -s first out || failed "the same records expected"
grep -q '"key":"","value":"k\\tv' first || failed "an empty key expected"
grep -q '"key":null,"value":null' first || failed "a null value expected"
run 0 consume copy -e -f '%p %d %K{big32}%V{big32}%H{big16}%k%v%h{%K{big32}%V{big32}%k%v}'
cp out packed
run 0 topic create copy3
run 0 produce copy3 -f '%p %d %K{big32}%V{big32}%H{big16}%k%v%h{%K{big32}%V{big32}%k%v}' <packed
run 0 consume copy3 -e -f json; sed -i s/copy3/copy/ out; cmp -s first out || failed "the same records expected"
feed '{"value":1}{"value":"a","key":"b"}\n{"val":1}' 1 produce copy3 -i json; err_has 'record 3: there is no "value"'; err_has "2 records"

# A record that the broker refuses.
run 0 topic create small -c max.message.bytes=1000
head -c 20000 /dev/urandom >big
run 1 produce small -f %v <big; err_has "record 1"; err_has "1 failed"
feed 'fits\n' 0 produce small --acks 1

# Following: what is there, then what comes; the end by Ctrl-C.
exec {followed}< <(exec "$program" consume lines -o -1)
follower=$!
name="consume lines -o -1, followed"; checks=$((checks + 1)); code=-
read -r -t 30 -u "$followed" line; [ "$line" = a ] || failed "the last record expected, not '$line'"
feed 'later\n' 0 produce lines
read -r -t 30 -u "$followed" line; [ "$line" = later ] || failed "the new record expected, not '$line'"
kill -INT $follower; wait $follower; code=$?
[ $code = 0 ] || failed "exit code 0 expected after an interrupt"
exec {followed}<&-
# From an offset that is not there yet: neither what is there nor what comes before it is shown.
run 0 topic create ahead
feed 'zero\n' 0 produce ahead
exec {followed}< <(exec timeout --foreground -s KILL 30 "$program" consume ahead -o 2 -n 1 2>ahead.err)
follower=$!
for _ in $(seq 500); do grep -q "waiting for offset 2" ahead.err && break; sleep 0.05; done
feed 'one\ntwo\n' 0 produce ahead
name="consume ahead -o 2 -n 1"; checks=$((checks + 1)); cp ahead.err err; : >out
read -r -t 30 -u "$followed" line; [ "$line" = two ] || failed "the record at offset 2 expected, not '$line'"
wait $follower; code=$?; [ $code = 0 ] || failed "exit code 0 expected"
exec {followed}<&-
name="consume | head"; checks=$((checks + 1))
"$program" consume lines 2>err | head -n 1 >out; code=$?
out_is "one"; err_is_empty

# Fewer records.
run 2 topic trim lines --to end </dev/null; err_has "add -y"
run 0 topic trim lines --to 2 --dry-run; out_is "lines[0] would start at 2"
run 0 topic trim lines --to 2 -y; out_is "lines[0] now starts at 2"
run 0 consume lines -o 0:3; out_is "three"; err_has "what was before offset 2 is gone"
run 0 topic trim lines --to end -y --format json; json "it['results'][0]['start']>20000"
run 0 consume lines -e; out_is ""
