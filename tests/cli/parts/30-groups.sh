# Groups: members, lag, and moving them.
run 0 topic create events -p 2
seq 1 10 >in; run 0 produce events -p 0 <in
seq 11 14 >in; run 0 produce events -p 1 <in

run 1 group describe readers; err_has "there is no group 'readers'"
for words in describe lag members; do
  run 1 group $words 'nope*'; err_has "no group has such a name"; out_is ""
  run 1 group $words 'nope*' --format json; err_has "no group has such a name"; json "[] in it.values()"
done
full 1 consume events -g losers -e
run 0 consume events -g losers -e; lines_are 14  # nothing was committed that nobody got
run 0 consume events -g readers -e; lines_are 14
full 1 group list
run 0 group list; out_has "readers"
run 0 group list --format json; json "[g['state'] for g in it['groups'] if g['group']=='readers']==['Empty']"
run 0 group describe readers; out_has "lag          0"
seq 15 20 >in; run 0 produce events -p 1 <in
run 0 group lag readers; out_has "10         10   0"
run 0 group lag readers --sum --format json; json "it['groups'][0]['lag']==6"
run 0 consume events -g readers -n 2; out_is "$(printf '15\n16')"
run 0 group lag readers --format json; json "sorted(p['lag'] for p in it['groups'][0]['partitions'])==[0,4]"
run 2 consume events -g readers -o 5; err_has "with -g the group says"

run 0 group seek readers --to start --dry-run --format json; json "it['dry_run'] and [o['after'] for o in it['offsets']]==[0,0]"
run 0 group lag readers --sum --format json; json "it['groups'][0]['lag']==4"
run 2 group seek readers --to start </dev/null; err_has "add -y"
run 0 group seek readers --to start -y; out_has "AFTER"
run 0 group lag readers --sum --format json; json "it['groups'][0]['lag']==20"
run 0 group seek readers --to +3 -y --format json; json "[o['after'] for o in it['offsets']]==[3,3]"
run 0 group seek readers --to -100 -p 1 -y --format json; json "[(o['partition'],o['after']) for o in it['offsets']]==[(1,0)]"; err_has "nearest offset"
run 0 group seek readers --to 7 -p 0 -y --format json; json "[o['after'] for o in it['offsets']]==[7]"
run 0 group seek readers --to @-1h -y --format json; json "[o['after'] for o in it['offsets']]==[0,0]"
run 0 group seek readers --to end -y --format json; json "[o['after'] for o in it['offsets']]==[10,10]"
printf '# saved\nevents 0 4\nevents,1,5\n' >saved
run 0 group seek others --to-file saved -y --format json; json "[(o['before'],o['after']) for o in it['offsets']]==[(None,4),(None,5)]"
run 0 group seek readers --to-group others -y --format json; json "[o['after'] for o in it['offsets']]==[4,5]"
run 0 group seek fresh --to 2 --topic events -y; out_has "events"
run 2 group seek fresh2 --to 2 -y; err_has "name topics with --topic"
run 2 group seek readers -y; err_has "one of --to"
run 2 group seek readers --to start --to-group others -y
run 1 group seek readers --to start --topic nowhere -y; err_has "there is no topic 'nowhere'"

# A member that reads.
exec {reading}< <(exec "$program" consume events -g readers)
reader=$!
for _ in $(seq 500); do
  "$program" group members readers --format json >out 2>err && grep -q '"partition":1' out && break
done
run 0 group members readers --format json; json "len(it['members'])==1 and len(it['members'][0]['partitions'])==2"
run 0 group members readers; out_has "HOST"
run 0 group describe readers; out_has "Stable"
run 1 group seek readers --to start -y; err_has "is being read by"
run 1 group delete readers -y; err_has "NON_EMPTY_GROUP"
# All that is left of both partitions, so that it has committed them when it ends.
for number in $(seq 11); do read -r -t 30 -u "$reading" line; done
kill -INT $reader; wait $reader; code=$?
name="consume -g, interrupted"; checks=$((checks + 1)); [ $code = 0 ] || failed "exit code 0 expected"
exec {reading}<&-
run 0 group lag readers --sum --format json; json "it['groups'][0]['state']=='Empty' and it['groups'][0]['lag']==0"

# A member whose topic was deleted ends at Ctrl-C all the same.
run 0 topic create gone
feed 'last\n' 0 produce gone
exec {reading}< <(exec timeout --foreground -s KILL 30 "$program" consume gone -g mourners 2>gone.err)
reader=$!
read -r -t 30 -u "$reading" line
run 0 topic delete gone -y
for _ in $(seq 500); do grep -q "no longer available" gone.err && break; sleep 0.05; done
kill -INT $reader; wait $reader; code=$?
name="consume -g, interrupted behind the end of its topic"; checks=$((checks + 1)); cp gone.err err; : >out
[ $code = 0 ] || failed "exit code 0 expected"
exec {reading}<&-

run 0 group offset-delete readers -t events -p 0 -y; out_is "deleted the offset of events[0]"
run 0 group lag readers --format json; json "[p['partition'] for p in it['groups'][0]['partitions']]==[1]"
run 1 group offset-delete readers -t events -p 0 -y; err_has "no offsets committed there"
run 0 group delete others --dry-run; out_is "would delete others"
run 0 group delete others -y; out_is "deleted others"
run 1 group delete others -y; err_has "GROUP_ID_NOT_FOUND"
run 0 group list --format json; json "'others' not in [g['group'] for g in it['groups']]"
run 0 __complete -- group describe re; out_is "readers"
run 0 topic list --internal; out_has "__consumer_offsets"
run 0 topic list; out_lacks "__consumer_offsets"
