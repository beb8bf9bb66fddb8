"""The scenarios: those of `speed`, and those whose clock is around a start or many partitions. A sample is of one broker and
gives {row key: number}; one that cannot be completed raises.
"""

import time

import client
import full
import group
import proc
import recovery
import simulator
import speed
import users
from case import Case, Row
from client import create_many, first_record


def start(broker, _sizes, load):
    with load.window(broker):
        took = first_record(broker)
        broker.launched()
    return {"start.ms": took}


def memory(broker, sizes, load):
    with load.window(broker):
        took = first_record(broker)
        fresh = proc.resident_mib(broker.pid)
        broker.launched()
        time.sleep(sizes.settle_s)  # what a start leaves to be done is not idling
        used, since = proc.cpu_seconds(broker.pid), time.monotonic()
        time.sleep(sizes.idle_s)
        used = proc.cpu_seconds(broker.pid) - used
        return {"start.ms": took, "memory.fresh": fresh, "memory.idle": proc.resident_mib(broker.pid),
                "memory.cpu": used * 1000 / (time.monotonic() - since)}


def partitions(broker, sizes, load):
    count = sizes.partitions
    first_record(broker)
    broker.launched()
    with load.window(broker), client.connect(broker) as connection:
        used, begin = proc.cpu_seconds(broker.pid), time.monotonic()
        create_many(connection, broker, "many", count)
        created = time.monotonic() - begin
        client.write_many(connection, "many", count, client.batch(1, 100), 0.02)
        result = {"partitions.all": time.monotonic() - begin, "partitions.create": created,
                  "partitions.cpu": proc.cpu_seconds(broker.pid) - used, "partitions.rss": proc.resident_mib(broker.pid)}
        client.must_hold(connection, "many", count, count)
    begin = time.monotonic()
    broker.stop(clean=True)
    return result | {"partitions.stop": time.monotonic() - begin}


def _cases():
    """Those with goals first: a run may end before the last."""
    yield Case("start", "a start with an empty folder", [Row("start.ms", "empty folder to first record acknowledged", "ms")], start, rounds=7, client="bench")
    yield Case("memory", "an idle broker", [
        Row("memory.idle", "memory when idle", "MiB"),
        Row("memory.fresh", "  after the first record", "MiB"),
        Row("memory.cpu", "CPU when idle", "ms/s")], memory, client="bench")
    yield Case("partitions", "{partitions} partitions", [
        Row("partitions.all", "{partitions} partitions created, each written", "s"),
        Row("partitions.create", "  of it: CreateTopics answered", "s"),
        Row("partitions.cpu", "  CPU of the broker", "s"),
        Row("partitions.stop", "  a clean stop afterwards", "s"),
        Row("partitions.rss", "  memory then", "MiB")], partitions, client="bench")
    yield from recovery.cases()
    yield group.case()
    yield full.case()
    for name, scenario in speed.SCENARIOS.items():
        yield speed.case(name, scenario)
    yield speed.latency_case()
    for name in ("a", "a16", "b", "c"):
        yield speed.peer_case(name)
    for name, scenario in speed.OVER_PARTITIONS.items():
        yield speed.case(name, scenario)
    yield from users.cases()
    yield simulator.case()


CASES = {case.name: case for case in _cases()}
