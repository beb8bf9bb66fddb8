#!/usr/bin/env python3
"""What a broker tells a client that comes through one of its listeners, as JSON: its address in Metadata, and the address
of a group's coordinator. Meant to be run inside a network namespace.

usage: asked.py BOOTSTRAP GROUP
"""

import json
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "interop" / "driver"))

import wire  # noqa: E402

with wire.Connection(sys.argv[1]) as connection:
    print(json.dumps({"brokers": connection.brokers(), "coordinator": connection.coordinator(sys.argv[2])}))
