#!/usr/bin/env bash
# A NATS server with JetStream as a peer to compare with, built from its module. Nothing is left outside DIR and the
# cache folder build/peers/nats.
#
#   nats.sh install                     build the server (needs Go; offline afterwards)
#   nats.sh run DIR PORT [sync]         serve on 127.0.0.1:PORT until SIGTERM; sync is JetStream's sync_interval (default 2m)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${PEERS_CACHE:-$here/../../build/peers}/nats
version=v2.15.3

install() {
  [[ -x $cache/nats-server && -f $cache/stamp && $(<"$cache/stamp") == "$version" ]] && return 0
  command -v go >/dev/null || { echo "nats.sh: Go is not installed" >&2; return 3; }
  mkdir -p "$cache"
  (cd "$cache" && GOBIN=$(pwd) go install "github.com/nats-io/nats-server/v2@$version" >&2)
  echo "$version" >"$cache/stamp"
}

run() {
  mkdir -p "$1"
  cat >"$1/nats.conf" <<CONF
listen: 127.0.0.1:$2
jetstream { store_dir: "$1/data", max_file_store: 1TB, sync_interval: "${3:-2m}" }
CONF
  exec "$cache/nats-server" -c "$1/nats.conf"
}

case ${1:-} in
  install) install ;;
  run) shift; run "$@" ;;
  *) sed -n '2,6p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
