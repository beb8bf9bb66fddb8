#!/usr/bin/env bash
# RabbitMQ with its streams as a peer to compare with, from Debian's packages, unpacked and not installed. Nothing is left
# outside DIR and the cache folder build/peers/rabbitmq; Erlang's port mapper is one of its own and ends with it.
#
#   rabbitmq.sh install          fetch the packages (needs apt; offline afterwards)
#   rabbitmq.sh run DIR PORT     speak the stream protocol on 127.0.0.1:PORT until SIGTERM
# RABBITMQ_PORTS: three more free ports (AMQP, port mapper, Erlang's own), default PORT + 1 to PORT + 3.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "${PEERS_CACHE:-$here/../../build/peers}"
cache=$(realpath "${PEERS_CACHE:-$here/../../build/peers}")/rabbitmq
packages=(rabbitmq-server erlang-base erlang-asn1 erlang-crypto erlang-eldap erlang-inets erlang-mnesia erlang-os-mon
  erlang-parsetools erlang-public-key erlang-runtime-tools erlang-ssl erlang-syntax-tools erlang-tools erlang-xmerl)

install() {
  [[ -f $cache/stamp && $(<"$cache/stamp") == "${packages[*]}" ]] && return 0
  command -v apt-get >/dev/null || { echo "rabbitmq.sh: needs Debian's apt-get" >&2; return 3; }
  rm -rf "$cache"
  mkdir -p "$cache/packages"
  (cd "$cache/packages" && { apt-get -qq download "${packages[@]}" || { apt-get -qq update && apt-get -qq download "${packages[@]}"; }; }) >&2
  for package in "$cache"/packages/*.deb; do dpkg-deb -x "$package" "$cache/root"; done
  rm -rf "$cache/packages"
  sed -i "s|ROOTDIR=/usr/lib/erlang|ROOTDIR=$cache/root/usr/lib/erlang|" "$cache/root/usr/lib/erlang/bin/erl"
  echo "${packages[*]}" >"$cache/stamp"
}

run() {
  local directory port=$2 ports mapper broker code=0
  mkdir -p "$1"; directory=$(realpath "$1")
  read -ra ports <<<"${RABBITMQ_PORTS:-$((port + 1)) $((port + 2)) $((port + 3))}"
  echo '[rabbitmq_stream].' >"$directory/enabled_plugins"
  cat >"$directory/rabbitmq.conf" <<CONF
listeners.tcp.default = 127.0.0.1:${ports[0]}
stream.listeners.tcp.default = 127.0.0.1:$port
stream.advertised_host = 127.0.0.1
disk_free_limit.absolute = 1GB
CONF
  export PATH=$cache/root/usr/lib/erlang/bin:$PATH HOME=$directory
  export ERL_EPMD_PORT=${ports[1]} ERL_EPMD_ADDRESS=127.0.0.1 RABBITMQ_DIST_PORT=${ports[2]}
  export RABBITMQ_NODENAME=tailwater-bench@localhost RABBITMQ_CONF_ENV_FILE=/dev/null RABBITMQ_LOGS=-
  export RABBITMQ_MNESIA_BASE=$directory/data RABBITMQ_LOG_BASE=$directory/log
  export RABBITMQ_ENABLED_PLUGINS_FILE=$directory/enabled_plugins RABBITMQ_CONFIG_FILE=$directory/rabbitmq.conf
  export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}'
  epmd -port "${ports[1]}" &
  mapper=$!
  "$cache"/root/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server &
  broker=$!
  trap 'kill "$broker" 2>/dev/null || true' TERM
  while kill -0 "$broker" 2>/dev/null; do wait "$broker" || code=$?; done
  kill "$mapper" 2>/dev/null || true
  wait "$mapper" || true
  # 143: it ended because it was asked to.
  [[ $code -eq 0 || $code -eq 143 ]]
}

case ${1:-} in
  install) install ;;
  run) shift; run "$@" ;;
  *) sed -n '2,7p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
