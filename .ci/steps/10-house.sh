#!/usr/bin/env bash
# house 3
# The checks of layering and purity refuse what is broken on purpose.
exec "$(dirname "$0")/../../tests/house/run"
