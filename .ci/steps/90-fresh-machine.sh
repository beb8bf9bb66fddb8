#!/usr/bin/env bash
# fresh_machine 25
# A fresh Debian 12 root with git and make only, when what it depends on changed since it last passed.
exec "$(dirname "$0")/../../tests/fresh_machine/run" --if-changed
