# The cluster, topics and their configuration.
run 0 cluster health --wait 10s; out_has "healthy: 1 broker"
run 0 group list; err_has "there are no groups"
run 0 cluster health --format json; json "it['healthy'] and it['brokers']==1 and it['reasons']==[]"
run 0 cluster info; out_has "controller"
run 0 cluster info --format json; json "it['cluster'] and len(it['brokers'])==1"
run 0 cluster brokers; out_has "CONTROLLER"
run 0 api-versions; out_has "ApiVersions"
run 0 api-versions --format json; json "any(a['api']=='Fetch' for a in it['apis'])"

run 0 topic create orders -p 6 -c retention.ms=3600000; out_is "created orders: 6 partitions, 1 replica"
run 1 topic create orders; err_has "orders: TOPIC_ALREADY_EXISTS"
run 0 topic create orders --if-not-exists; out_is "orders is there already"
run 1 topic create 'no/name' fine --format json; json "[bool(r['error']) for r in sorted(it['results'], key=lambda r: r['topic'])]==[False, True]"
run 0 topic create ghost --dry-run; out_has "would create ghost"
run 1 topic create broken -c retention.m=1; err_has "did you mean 'retention.ms'?"; err_has "INVALID_CONFIG"
run 0 topic list; out_has "orders"; out_lacks "ghost"; out_lacks "broken"
run 0 topic list 'ord*'; lines_are 2
run 0 topic list --format json; json "[t['partitions'] for t in it['topics'] if t['topic']=='orders']==[6]"

for words in "topic list" "topic describe orders" "cluster info" "api-versions" "topic list --format json"; do
  # shellcheck disable=SC2086
  full 1 $words
done
run 0 topic describe orders; out_has "config      retention.ms=3600000"
run 0 topic describe 'order?' fine --format json; json "[t['topic'] for t in it['topics']]==['fine','orders'] and it['topics'][1]['configs']=={'retention.ms':'3600000'}"
run 1 topic describe oders; err_has "there is no topic 'oders'; did you mean 'orders'?"

run 0 topic alter orders -c retention.ms=7200000 -c segment.bytes=1048576; out_is "altered orders"
run 0 topic alter orders --unset segment.bytes --dry-run; out_is "would alter orders"
run 0 config get topic orders; out_has "7200000"; out_has "segment.bytes"
run 0 config unset topic orders segment.bytes; out_is "altered topic orders"
run 0 config get topic orders --format json; json "{'retention.ms'} <= {c['key'] for c in it['configs']} and 'segment.bytes' not in {c['key'] for c in it['configs']}"
run 0 config get topic orders --all; out_has "cleanup.policy"; out_has "default"
run 1 config get topic orders no.key; err_has "there is no key 'no.key'"
run 1 config get topic nowhere; err_has "topic nowhere: UNKNOWN_TOPIC_OR_PARTITION: There is no topic 'nowhere'"
run 0 config set topic orders cleanup.policy=compact --dry-run; out_is "would alter topic orders"
run 0 config set topic orders preallocate=true --dry-run; err_has "has no effect: space is always reserved ahead"
run 1 config set topic orders retention.ms=soon; err_has "INVALID_CONFIG"
run 2 config set topic orders retention.ms; err_has "KEY=VALUE"
run 0 config get broker 1; out_has "log.dirs"
run 2 config get broker one; err_has "named by its number"
run 1 config get broker 99; err_has "there is no broker 99"
run 2 topic alter orders; err_has "nothing to change"

run 0 topic add-partitions fine --by 2; out_is "fine has 3 partitions"
run 0 topic add-partitions fine --to 4 --dry-run; out_is "fine would have 4 partitions"
run 1 topic add-partitions fine --to 2; err_has "INVALID_PARTITIONS"
run 2 topic add-partitions fine; err_has "--by N"

run 2 topic delete fine </dev/null; err_has "add -y"
run 0 topic delete fine --dry-run; out_is "would delete fine: 3 partitions"
run 0 topic delete fine -y; out_is "deleted fine"
run 1 topic delete fine -y; err_has "there is no topic 'fine'"
run 0 topic delete fine -y --if-exists; out_is "fine is not there"

run 0 __complete -- topic describe or; out_is "orders"
run 0 __complete -- consume -o start ""; out_has "orders"
