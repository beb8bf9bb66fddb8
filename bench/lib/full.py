"""Retention and compaction at work on a file system that is nearly full: what does a producer notice of it? Three loads
run in both parts of a sample: paced requests, whose latency is the figure; a topic of large batches; and one of keyed
records. In the second part the large one is cut to size again and again, and the keyed one compacted.

The file system is an ext4 of its own in a file, mounted with a loop device, and filled to four fifths.
"""

import contextlib
import os
import pathlib
import shutil
import struct
import subprocess
import threading
import time

import client
import peers
import speed
from case import MIB, PAIR, Case, Row

wire = client.wire

FULL = 0.8
PACED, CHURN = ("--scenario", "a16", "--rate", "20"), ("--scenario", "a", "--rate", "60")
SEGMENT = 8 * MIB
KEYS, KEYED_BATCH = 500, 200  # keys; records of a batch of 1 KiB
KEYED_PAUSE_S = 0.01
AT_WORK_LIMIT_S, LEAST_S = 30, 5
CREATE_TOPICS, CREATE_TOPICS_VERSION = client.CREATE_TOPICS, client.CREATE_TOPICS_VERSION


def absent():
    """None, or why there can be no such file system here."""
    if os.geteuid() != 0:
        return "only root may mount a file system"
    if not shutil.which("mkfs.ext4") or not pathlib.Path("/dev/loop-control").exists():
        return "no mkfs.ext4 or no loop devices"
    return None


def _must(*command):
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise peers.Broke(f"{' '.join(map(str, command))}: {done.stderr.strip()[-200:]}")


@contextlib.contextmanager
def mounted(folder, sizes):
    """The broker's data folder is a file system of its own while the body runs. The file has holes: what fills the file
    system takes no room."""
    image, place = folder / "image", folder / "data"
    with open(image, "wb") as file:
        file.truncate(sizes.disk_mib * MIB)
    _must("mkfs.ext4", "-q", "-F", "-m", "0", image)
    place.mkdir()
    _must("mount", "-o", "loop", image, place)
    try:
        (place / "lost+found").rmdir()  # Kafka takes every folder for a partition
        _must("fallocate", "-l", str(int(sizes.disk_mib * MIB * FULL)), place / "filler")
        yield
    finally:
        _must("umount", place)
        image.unlink()


def make_topic(connection, topic, partitions, settings):
    configs = [wire.string(name) + wire.string(value) for name, value in settings.items()]
    entry = wire.string(topic) + struct.pack(">ih", partitions, 1) + wire.array([]) + wire.array(configs)
    answer = connection.ask(CREATE_TOPICS, CREATE_TOPICS_VERSION, wire.array([entry]) + struct.pack(">i?", client.TIMEOUT_MS, False))
    answer.take("i")
    error, why = answer.array(lambda: (answer.string(), answer.take("h"), answer.string()))[0][1:]
    if error:
        raise wire.WireError(f"CreateTopics {topic}: error {error}, {why}")


def keyed_batches():
    """Requests' worth of records whose keys come again and again."""
    return [client.batch(KEYED_BATCH, 1024, seed, [f"key-{(seed * KEYED_BATCH + n) % KEYS}".encode() for n in range(KEYED_BATCH)])
            for seed in range(5)]


class Keyed:
    """Writes keyed records in a thread until it is told to stop."""

    def __init__(self, broker, topic):
        self.broker, self.topic, self.over, self.problem = broker, topic, threading.Event(), None
        self.thread = threading.Thread(target=self.work, daemon=True)

    def work(self):
        batches, turn = keyed_batches(), 0
        try:
            with client.connect(self.broker) as connection:
                while not self.over.wait(KEYED_PAUSE_S):
                    client.write(connection, self.topic, [0], batches[turn % len(batches)], 0.02)
                    turn += 1
        except (OSError, wire.WireError) as problem:
            self.problem = problem

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        if self.problem:
            raise peers.Broke(f"keyed records: {self.problem!r}")


@contextlib.contextmanager
def churn(broker, topic, seconds):
    """The load of large batches, beside; it must not end by itself."""
    command = [*broker.load_command(), "--port", str(broker.port), *CHURN, "--topic", topic, "--seconds", str(seconds + 600), "--warm", "0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:
        try:
            yield
            if process.poll() is not None:
                raise peers.Broke(f"the load of large batches ended: {process.stderr.read()[-300:]}")
        finally:
            process.kill()


def first_left(connection, topic):
    """The offset of the first batch that is left in partition 0, and of its last record."""
    start = connection.offsets(topic, 1, -2)[0]
    found = next(wire.batches(connection.fetch(topic, 0, start)[1]), None)
    return found[:2] if found else (start, start)


class Work:
    """Where the log that is cut and the one that is compacted began when the clock began and when it stopped."""

    def __init__(self, connection, cut, compacted):
        self.connection, self.cut, self.compacted, self.begins = connection, cut, compacted, {}

    def look(self):
        return self.connection.offsets(self.cut, 1, -2)[0], first_left(self.connection, self.compacted)

    def note(self, line):
        if line in ("measuring", "measured"):
            self.begins[line] = self.look()

    def must_have_been_done(self, seconds):
        """Of what was measured, both were a part; behind a moment too short for that they must only happen soon."""
        before, after = self.begins["measuring"], self.begins["measured"]
        limit = time.monotonic() + (AT_WORK_LIMIT_S if seconds < LEAST_S else 0)
        while before[0] == after[0] or before[1] == after[1]:
            if time.monotonic() > limit:
                raise peers.Broke(f"nothing was {'deleted by retention' if before[0] == after[0] else 'compacted'} while the clock ran")
            time.sleep(0.2)
            after = self.look()


def part(broker, connection, seconds, at_work):
    """The 99th percentile of the paced requests, in ms."""
    mark = time.monotonic_ns()
    paced, large, keyed = (f"{name}-{mark}" for name in ("paced", "large", "keyed"))
    small = {"segment.bytes": str(SEGMENT)}
    make_topic(connection, paced, 6, {})
    make_topic(connection, large, 6, {"retention.bytes": str(2 * SEGMENT)} | small if at_work else {"retention.bytes": "-1"})
    make_topic(connection, keyed, 1, {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01"} | small if at_work else {})
    with client.connect(broker) as own, churn(broker, large, seconds), Keyed(broker, keyed):
        work = Work(own, large, keyed)
        told = speed.run(broker, [*PACED, "--topic", paced], seconds, 3 if seconds > 3 else 1, work.note)
        if at_work:
            work.must_have_been_done(seconds)
    connection.delete_topics([paced, large, keyed])
    return told["p99_us"] / 1000


def sample(broker, sizes, load):
    with client.serving(broker) as (connection, first_warm_share):
        if first_warm_share:
            part(broker, connection, first_warm_share * sizes.first_warm_s, True)
        broker.turned = not getattr(broker, "turned", True)  # each part is first in every other round
        with load.window(broker):
            found = {at_work: part(broker, connection, sizes.load_s, at_work) for at_work in (broker.turned, not broker.turned)}
    return {"full.without": found[False], "full.beside": found[True], "full.ratio": found[True] / found[False]}


def case():
    settings = {"log.retention.check.interval.ms": "500", "log.segment.delete.delay.ms": "500", "log.cleaner.backoff.ms": "500",
                "log.initial.task.delay.ms": "500"}
    return Case("full", "a file system filled to 80 %", [
        Row("full.without", "20 MB/s of 16 KiB batches beside two other loads: p99", "ms"),
        Row("full.beside", "  the same while retention and compaction work", "ms"),
        Row("full.ratio", "  times", "")], sample, PAIR, stays_up=True, settings=settings, place=mounted, needs=absent,
        client="load and bench")
