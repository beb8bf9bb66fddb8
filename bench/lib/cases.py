"""The measurements. Each takes one sample of one broker on a fresh folder and returns {row key: value};
bench/run repeats them, brokers in turns, and makes rows of them. A sample that cannot be completed raises.
"""

import dataclasses
import subprocess
import time

import client
import peers
import proc
import speed

MIB = 1 << 20


@dataclasses.dataclass
class Row:
    key: str
    title: str
    unit: str
    target: str = ""
    more_is_better: bool = False


@dataclasses.dataclass
class Sizes:
    """How much is done in a sample."""

    idle_s: float = 10
    partitions: int = 10000
    commits: int = 1000000
    payload: dict = dataclasses.field(default_factory=lambda: {1024: 1024 * MIB, 100: 256 * MIB})
    warm: int = 64 * MIB
    limit_s: float = 120
    load_s: float = 10
    kafka_warm_s: float = 60

    @staticmethod
    def smoke():
        return Sizes(idle_s=2, partitions=200, commits=20000, payload={1024: 64 * MIB, 100: 16 * MIB}, warm=8 * MIB, limit_s=6, load_s=1, kafka_warm_s=1)


@dataclasses.dataclass
class Case:
    name: str
    rows: list
    sample: object
    rounds: int
    smoke_rounds: int = 1
    kafka_settings: tuple = ({},)  # one column of Kafka for each
    compared: int = 0  # the column of Kafka that the ratio is with
    stays_up: bool = False  # one broker of each kind for all rounds; the sample launches it if nobody did
    settings: dict = dataclasses.field(default_factory=dict)  # of every broker


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
    return {"killed.served": took, "killed.rss": proc.resident_mib(broker.pid)}


COMMIT_PARTITIONS = 1000


def commits(broker, sizes, load):
    """Many committed offsets, then a start: the time until every group answers again."""
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
        broker.launch()
        with client.connect(broker) as connection:
            broker.launched()
            begin = time.monotonic()
            for group in groups:
                def asked():
                    offset, code = client.committed(connection, group, "committed", COMMIT_PARTITIONS - 1)
                    return code or (0 if offset == 7 else -1)
                client.insist(asked, lambda code: code == 0, 0.005)
            took = time.monotonic() - begin
    return {"commits.load": took, "commits.rate": len(groups) * COMMIT_PARTITIONS / 1e3 / wrote,
            "commits.rss": proc.resident_mib(broker.pid)}


BATCH_BYTES, SPREAD, LANES, DEPTH = 64 << 10, 6, 4, 5


def produce(broker, sizes, load):
    """Both record sizes after one another on one broker; the clock runs when it is warm."""
    first_record(broker)
    broker.launched()
    result = {}
    with client.connect(broker) as connection:
        for size, payload in sizes.payload.items():
            topic, count = f"records-{size}", max(1, BATCH_BYTES // size)
            records = client.batch(count, size)
            client.make_topic(connection, broker, topic, SPREAD)
            client.write(connection, topic, range(SPREAD), records, 0.02)
            rounds = [max(1, amount // (count * size)) for amount in (sizes.warm, payload)]
            warm, _ = client.pump(broker.port, topic, SPREAD, records, rounds[0], LANES, DEPTH, sizes.limit_s)
            with load.window(broker):
                used = proc.cpu_seconds(broker.pid)
                done, took = client.pump(broker.port, topic, SPREAD, records, rounds[1], LANES, DEPTH, sizes.limit_s)
                used = proc.cpu_seconds(broker.pid) - used
            written = done * count
            client.must_hold(connection, topic, SPREAD, written + (warm + SPREAD) * count)
            result |= {f"produce.{size}.rate": written * size / 1e6 / took, f"produce.{size}.records": written / 1e3 / took,
                       f"produce.{size}.cpu_gb": used / (written * size / 1e9), f"produce.{size}.cpu_m": used / (written / 1e6)}
    return result


def _produce_rows():
    for size, title in ((1024, "1 KiB"), (100, "100 B")):
        yield Row(f"produce.{size}.rate", f"produce {title}, acks=all, fsync", "MB/s", "", True)
        yield Row(f"produce.{size}.records", "  records", "k/s", "", True)
        yield Row(f"produce.{size}.cpu_gb", "  CPU of the broker", "s/GB")
        yield Row(f"produce.{size}.cpu_m", "  CPU of the broker", "s/M records")


CASES = [
    Case("start", [Row("start.ms", "empty folder to first record acknowledged", "ms", "< 50")], start, 7, 3),
    Case("memory", [Row("memory.fresh", "memory after the first record", "MiB", "< 30"),
                    Row("memory.idle", "memory when idle", "MiB", "< 30"),
                    Row("memory.cpu", "CPU when idle", "ms/s")], memory, 2),
    Case("partitions", [Row("partitions.all", "{partitions} partitions created, each written", "s", "< 2"),
                        Row("partitions.create", "  of it: CreateTopics answered", "s"),
                        Row("partitions.cpu", "  CPU of the broker", "s"),
                        Row("partitions.stop", "  a clean stop afterwards", "s"),
                        Row("partitions.rss", "  memory then", "MiB", "< 200")], partitions, 3),
    Case("killed", [Row("killed.served", "kill -9 under load with {partitions} partitions: until each took a record", "s", "< 3"),
                    Row("killed.rss", "  memory then", "MiB")], killed, 3),
    Case("commits", [Row("commits.load", "{commits} committed offsets loaded after a start", "s", "< 2"),
                     Row("commits.rate", "  committed before", "k/s", "", True),
                     Row("commits.rss", "  memory then", "MiB")], commits, 2),
    Case("produce", list(_produce_rows()), produce, 3, 1, (peers.FLUSHED, {})),
] + [
    # Tailwater with fsync against Kafka without, its default; both stay up from round to round, and warm.
    Case(f"speed-{name}", list(speed.rows(Row, name, scenario)), speed.sampler(scenario, name), 5, 1, (peers.FLUSHED, {}), 1,
         stays_up=True, settings=scenario.settings())
    for name, scenario in speed.SCENARIOS.items()
]
