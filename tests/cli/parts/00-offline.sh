# Commands that need no broker, wrong usage, and a broker that is not there.
run 0 version; out_has "tailwater "
run 0 --help; out_has "topic"; out_lacks "__complete"
run 0 topic create --help; out_has "--partitions"
run 0 --help-json; json "it['name']=='tailwater' and any(c['name']=='topic' for c in it['commands'])"
run 0 topic create --help-json; json "it['name']=='create' and any('--partitions' in o['names'] for o in it['options'])"
run 0 --version; out_has "tailwater "
run 0 -V; out_has "tailwater "
run 0 version --format json; json "it['name']=='tailwater' and it['version']"
for words in version --help --help-json "help topic create" "config list all" "generate man" "version --format json"; do
  # shellcheck disable=SC2086
  full 1 $words
done
for words in "help topic create" "topic help create" "--help topic create" "topic create --help"; do
  # shellcheck disable=SC2086
  run 0 $words; out_has "Usage: tailwater topic create [OPTIONS] NAME..."; out_has '[$TAILWATER_BROKERS]'
done
run 0 topic help; out_has "Usage: tailwater topic COMMAND"; out_has "add-partitions"
run 2 topic; err_has "Usage: tailwater topic COMMAND"; out_is ""
run 2 help tpoic; err_has "did you mean 'topic'?"
run 2 serve --override x; err_has "--override must be KEY=VALUE"
run 2 serve --override num.partitions=many; err_has "num.partitions"
run 2 serve --log-level loud; err_has "--log-level: 'loud' is no log level"
run 2 dev --log-level loud --data "$work/loud"; err_has "--log-level: 'loud' is no log level"
run 1 serve no/such/file; err_has "cannot read no/such/file"
run 2 produce; err_has "tailwater: TOPIC is required"; err_has "See: tailwater produce --help"
run 2 topic list -b x; err_has "did you mean -B?"
run 2 tpoic; err_has "did you mean 'topic'?"
run 2 topic ls; err_has "did you mean 'list'?"
run 2 foo; err_has "there is no command 'foo'"; err_has "Commands: serve,"
run 2 topic create x --partition 3; err_has "did you mean --partitions?"
run 2 topic create x -p 0; err_has "--partitions is 1 or more"
run 2 topic create x -p 99999999999; err_has "--partitions: 99999999999 is too large"
run 2 topic create x -r 40000; err_has "--replicas: 40000 is too large; it is 32767 at most"
run 2 topic add-partitions x --by 99999999999; err_has "99999999999 partitions are too many"
run 2 topic add-partitions x -p 2; err_has "has no option -p; did you mean --by N or --to N?"
run 2 topic list --json; err_has "has no option --json; did you mean --format json?"
run 2 consume x -n -1; err_has "-n is 1 or more, or 0 for no limit"
run 0 log dump --help; out_lacks "default=-1"
run 2 topic list --format xml; err_has "not one of"
run 2 topic list --timeout soon; err_has "--timeout"
run 2 topic list -B nonsense:port; err_has "write HOST:PORT"
run 2 consume x -o nonsense; err_has "no range of offsets"
run 2 consume x -f '%q'; err_has "there is no %q"
run 2 consume x --grep '('; err_has "no regular expression"
run 2 produce x -f '%k%v'; err_has "where does %k end"
run 2 produce x --template 'x'; err_has "--count"
run 2 produce x -X nonsense=1 --template x --count 1; err_has "nonsense"

# Nobody listens at the port of a listener that was closed.
closed=$(python3 -c "import socket; s=socket.socket(); s.bind(('127.0.0.1',0)); print(s.getsockname()[1])")
for words in "topic list" "cluster info" "group list" "api-versions" "config get topic x" "consume x" "cluster health"; do
  # shellcheck disable=SC2086
  run 1 $words -B "127.0.0.1:$closed"; err_has "cannot reach 127.0.0.1:$closed: connection refused; is the broker running?"
  out_is ""
done
run 1 -B "127.0.0.1:$closed" topic list; err_has "cannot reach 127.0.0.1:$closed"
run 1 topic -B "127.0.0.1:$closed" --format json list; err_has "cannot reach 127.0.0.1:$closed"
run 1 topic list --bootstrap-server "127.0.0.1:$closed"; err_has "cannot reach 127.0.0.1:$closed"
feed 'x\n' 1 produce x -B "127.0.0.1:$closed"; err_has "Start one with: tailwater dev"
run 1 cluster health -B "127.0.0.1:$closed" --wait 50ms; err_has "cannot reach"

run 0 config list topic retention.ms; out_has "retention.ms (topic)"; out_has "long, default 604800000"
run 0 config list all --short; out_has "log.retention.ms"
run 0 config list --format json; json "len(it['keys'])>100 and all(k['documentation'] for k in it['keys'])"
run 1 config list topic no.such.key; err_has "no key"

for shell in bash zsh fish; do run 0 generate completion $shell; out_has "__complete"; done
run 0 generate completion bash; bash -n out || failed "the script of bash is wrong"
run 2 generate completion tcsh
run 0 generate man; out_has ".SS tailwater topic create [OPTIONS] NAME..."; out_has "TAILWATER_BROKERS"
run 0 __complete -- top; out_is "topic"
run 0 __complete -- topic create x --rep; out_is "--replicas"
run 0 __complete -- topic create x -c retention.m; out_is "retention.ms="
run 0 __complete -- topic describe "" -B "127.0.0.1:$closed"; err_is_empty
