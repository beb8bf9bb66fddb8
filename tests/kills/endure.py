"""A broker under load, cycles of faults, and the verdict: what tests/kills/run and tests/power/run have in common."""

import argparse
import os
import signal
import subprocess
import sys

import tailwater
import wire
from load import Load


def words(about):
    given = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--tailwater", required=True)
    given.add_argument("--cycles", type=int, default=50)
    given.add_argument("--seed", type=int, default=1)
    given.add_argument("--shards", type=lambda text: [int(n) for n in text.split(",")], default=[1], metavar="N[,N...]",
                       help="how many; of several numbers each start takes one")
    given.add_argument("--require-all", action="store_true", default=os.environ.get("CI") == "true",
                       help="what cannot be run is a failure; always so with CI=true")
    return given


def under_load(name, given, broker, faults_of, found):
    """Cycles of what faults_of(broker, load) does; adds to the faults found. Returns why not all of the load was there."""
    broker.start()
    load, faults = Load(broker, given.seed), None
    try:
        faults = faults_of(broker, load)
        for cycle in range(given.cycles):
            try:
                faults.cycle()
            except Exception as problem:
                raise RuntimeError(f"seed {given.seed}, cycle {cycle}: {problem}") from problem
            if sys.stderr.isatty():
                print(f"\r{cycle + 1} of {given.cycles}", end="", file=sys.stderr)
        said, wrong = load.verdict(broker)
        found += wrong
        print(f"{name}: {given.cycles} cycles, seed {given.seed}, {' or '.join(map(str, given.shards))} shards: {faults.told()}")
        for line in said:
            print(f"{name}: {line}")
        broker.stop()
        return load.absent
    finally:
        load.end()
        if faults:
            faults.end()


def judged(name, given, broker, faults_of, keep):
    """Runs it all and prints the closing line. `keep` says where the data is kept for a look, after a failure."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started ends with us
    found, absent = [], ""
    try:
        absent = under_load(name, given, broker, faults_of, found)
    except (OSError, RuntimeError, ValueError, tailwater.Broke, wire.WireError, subprocess.SubprocessError) as error:
        found.append(str(error))
    finally:
        if broker.alive():
            broker.kill()
    for fault in found[:10]:
        print(f"{name}: {fault}")
    if found:
        print(f"{name}: {len(found)} faults with seed {given.seed}; the data folder is kept: {keep()}")
    print(f"{0 if found else 1} passed, {1 if found else 0} failed, {1 if absent else 0} skipped")
    return 1 if found or (absent and given.require_all) else 0
