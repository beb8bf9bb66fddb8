#!/usr/bin/env bash
# journal_commits 2
# Journal writes of a broker under load cause no commit of the file system's metadata, on an ext4 with a journal.
set -euo pipefail
cd "$(dirname "$0")/../.."
tests/probes/commit_probe.sh --ready 'test -e {}/under_load' --measure 8 -- \
  "$PWD/tests/probes/broker_under_load.sh" "$PWD/build/release/tailwater" {}
