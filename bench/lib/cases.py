"""The scenarios: those of `speed`, and those whose clock is around a start, a kill or many partitions. A sample is of one
broker and gives {row key: number}; one that cannot be completed raises.
"""

import subprocess
import time

import calls
import client
import full
import group
import peers
import proc
import speed
import users
from case import Case, Row


def first_record(broker):
    """Launches, and the milliseconds from the exec to the first acknowledged record."""
    records = client.batch(1, 100)
    start = broker.launch()
    with client.connect(broker) as connection:
        client.make_topic(connection, broker, "first", 1)
        client.write(connection, "first", [0], records, broker.poll_s)
        return (time.monotonic() - start) * 1000


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
        time.sleep(1)  # what a start leaves to be done is not idling
        used, since = proc.cpu_seconds(broker.pid), time.monotonic()
        time.sleep(sizes.idle_s)
        used = proc.cpu_seconds(broker.pid) - used
        return {"start.ms": took, "memory.fresh": fresh, "memory.idle": proc.resident_mib(broker.pid),
                "memory.cpu": used * 1000 / (time.monotonic() - since)}


def create_many(connection, broker, topic, count):
    """One request; Kafka refuses so many in one, and then gets the second half in another."""
    code = client.create_topic(connection, topic, count)
    if code == client.POLICY_VIOLATION or code == -1:
        client.make_topic(connection, broker, topic, count // 2)
        code = client.insist(lambda: client.grow_topic(connection, topic, count), lambda code: code == 0, broker.poll_s)
    if code:
        raise client.wire.WireError(f"CreateTopics with {count} partitions: error {code}")


def partitions(broker, sizes, load):
    records, count, group = client.batch(1, 100), sizes.partitions, 1000
    first_record(broker)
    broker.launched()
    with load.window(broker), client.connect(broker) as connection:
        used, begin = proc.cpu_seconds(broker.pid), time.monotonic()
        create_many(connection, broker, "many", count)
        created = time.monotonic() - begin
        for low in range(0, count, group):
            client.write(connection, "many", range(low, min(low + group, count)), records, 0.02)
        result = {"partitions.all": time.monotonic() - begin, "partitions.create": created,
                  "partitions.cpu": proc.cpu_seconds(broker.pid) - used, "partitions.rss": proc.resident_mib(broker.pid)}
        client.must_hold(connection, "many", count, count)
    begin = time.monotonic()
    broker.stop(clean=True)
    return result | {"partitions.stop": time.monotonic() - begin}


def killed(broker, sizes, load):
    """Many partitions, kill -9 under load, and a start: the time until each of them took a record."""
    records, count, group = client.batch(1, 100), sizes.partitions, 1000
    first_record(broker)
    broker.launched()
    with client.connect(broker) as connection:
        create_many(connection, broker, "many", count)
        for low in range(0, count, group):
            client.write(connection, "many", range(low, min(low + group, count)), records, 0.02)
    words = ["--scenario", "d", "--topic", "many", "--partitions", str(count)]
    loaded = subprocess.Popen([peers.load_program, "--port", str(broker.port), *words, "--seconds", "60"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(min(sizes.load_s, 5))
        broker.kill()
    finally:
        loaded.kill()
        loaded.wait()
    with load.window(broker):
        begin = broker.launch()
        with client.connect(broker) as connection:
            for low in range(0, count, group):
                client.write(connection, "many", range(low, min(low + group, count)), records, 0.005)
        took = time.monotonic() - begin
        broker.launched()
    resident = proc.resident_mib(broker.pid)
    return {"killed.served": took, "killed.rss": resident,
            "killed.rest": resident - calls.cached_mib(calls.told(broker))}


COMMIT_PARTITIONS = 1000


def commits(broker, sizes, load):
    """Many committed offsets, then a start: the time from the exec until every group answers again."""
    groups = [f"group-{number}" for number in range(max(1, sizes.commits // COMMIT_PARTITIONS))]
    first_record(broker)
    broker.launched()
    with client.connect(broker) as connection:
        create_many(connection, broker, "committed", COMMIT_PARTITIONS)
        client.insist(lambda: client.find_coordinator(connection, groups[0]), lambda code: code == 0, broker.poll_s)
        begin = time.monotonic()
        for group in groups:
            client.insist(lambda: (client.commit(connection, group, "committed", range(COMMIT_PARTITIONS), 7) or [0])[0],
                          lambda code: code == 0, 0.05)
        wrote = time.monotonic() - begin
    broker.stop(clean=True)
    with load.window(broker):
        begin = broker.launch()
        with client.connect(broker) as connection:
            for group in groups:
                def asked():
                    offset, code = client.committed(connection, group, "committed", COMMIT_PARTITIONS - 1)
                    return code or (0 if offset == 7 else -1)
                client.insist(asked, lambda code: code == 0, 0.005)
            took = time.monotonic() - begin
        broker.launched()
    return {"commits.load": took, "commits.rate": len(groups) * COMMIT_PARTITIONS / 1e3 / wrote,
            "commits.rss": proc.resident_mib(broker.pid)}


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
    yield Case("killed", "kill -9 with {partitions} partitions", [
        Row("killed.served", "kill -9 under load: until each of {partitions} partitions took a record", "s"),
        Row("killed.rss", "  memory then", "MiB"),
        Row("killed.rest", "  of it not for records", "MiB")], killed)
    yield Case("commits", "a start with {commits} committed offsets", [
        Row("commits.load", "{commits} committed offsets loaded after a start", "s"),
        Row("commits.rate", "  committed before", "k/s", True),
        Row("commits.rss", "  memory then", "MiB")], commits, rounds=3, client="bench")
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


CASES = {case.name: case for case in _cases()}
