#!/usr/bin/env bash
# A real Apache Kafka 4.4.0 broker (KRaft, one node, broker and controller in one process) as a peer
# to compare with. Guarantees: nothing is left outside DIR and the cache folder build/peers/kafka;
# `start` returns only when the broker accepts connections; `stop` returns only when it is gone.
#
#   kafka.sh install                        fetch the class path (needs Maven; offline afterwards)
#   kafka.sh start DIR PORT [key=value...]  format DIR if new, start on 127.0.0.1:PORT, extra settings last
#   kafka.sh stop DIR                       SIGTERM, wait
#   kafka.sh status DIR                     exit 0 while it runs
# KAFKA_HEAP (default 512m) is the heap; the controller listens on PORT + 1, or on KAFKA_CONTROLLER_PORT.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${PEERS_CACHE:-$here/../../build/peers}/kafka
pom=$here/kafka-pom.xml

install() {
  local want; want=$(sha256sum <"$pom")
  [[ -f $cache/stamp && $(<"$cache/stamp") == "$want" ]] && return 0
  command -v mvn >/dev/null || { echo "kafka.sh: Maven is not installed" >&2; return 3; }
  rm -rf "$cache/lib"; mkdir -p "$cache/lib"
  mvn -q -B -f "$pom" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DoutputDirectory="$(realpath "$cache/lib")" -DincludeScope=runtime >&2
  echo "$want" >"$cache/stamp"
}

settings() {
  local directory=$1 port=$2 controller=${KAFKA_CONTROLLER_PORT:-$(($2 + 1))}
  cat <<EOF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$directory/data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
EOF
}

log_settings() {
  cat <<EOF
status = ERROR
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{HH:mm:ss.SSS} %-5p %c{1} %m%n
rootLogger.level = WARN
rootLogger.appenderRef.out.ref = out
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = INFO
EOF
}

alive() { [[ -f $1/pid ]] && kill -0 "$(<"$1/pid")" 2>/dev/null; }

start() {
  local directory port
  mkdir -p "$1"; directory=$(realpath "$1"); port=$2; shift 2
  if alive "$directory"; then echo "kafka.sh: already running in $directory" >&2; return 1; fi
  install
  settings "$directory" "$port" >"$directory/server.properties"
  printf '%s\n' "$@" >>"$directory/server.properties"
  log_settings >"$directory/log4j2.properties"
  local java=(java -cp "$cache/lib/*" "-Dlog4j2.configurationFile=$directory/log4j2.properties")
  if [[ ! -f $directory/data/meta.properties ]]; then
    local id; id=$("${java[@]}" -Xmx128m kafka.tools.StorageTool random-uuid)
    "${java[@]}" -Xmx128m kafka.tools.StorageTool format -t "$id" -c "$directory/server.properties" >"$directory/format.log" 2>&1
  fi
  : >"$directory/server.log"
  # As its own start script has it.
  nohup "${java[@]}" "-Xmx${KAFKA_HEAP:-512m}" "-Xms${KAFKA_HEAP:-512m}" -server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 \
    -XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent -Djava.awt.headless=true \
    kafka.Kafka "$directory/server.properties" >>"$directory/server.log" 2>&1 </dev/null &
  echo $! >"$directory/pid"
  for _ in $(seq 1800); do
    grep -q 'Kafka Server started' "$directory/server.log" && return 0
    alive "$directory" || break
    sleep 0.1
  done
  echo "kafka.sh: the broker did not start; see $directory/server.log" >&2
  tail -20 "$directory/server.log" >&2
  return 1
}

stop() {
  local directory=$1
  alive "$directory" || { rm -f "$directory/pid"; return 0; }
  local pid; pid=$(<"$directory/pid")
  kill "$pid"
  for _ in $(seq 300); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
  kill -0 "$pid" 2>/dev/null && kill -9 "$pid"
  rm -f "$directory/pid"
}

case ${1:-} in
  install) install ;;
  start) [[ $# -ge 3 ]] || { echo "usage: kafka.sh start DIR PORT [key=value...]" >&2; exit 2; }; shift; start "$@" ;;
  stop) stop "$2" ;;
  status) alive "$2" ;;
  *) sed -n '2,11p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
