"""The clients that people use, so that they see their own world: the perf tools of Apache Kafka (Java), and kcat (librdkafka),
all with their defaults. They cost far more than either broker, on the same two cores: it is their speed that shows.
"""

import os
import random
import re
import shutil
import string
import subprocess
import sys
import time

import client
import disk
import peers
import proc
from case import Case, Row

sys.path.append(str(peers.KAFKA.parent))

import kafka_tools  # noqa: E402

PARTITIONS, SIZE, DISTINCT_LINES = 6, 1024, 500
LIMIT_S = 300
SENT = re.compile(r"^(\d+)(?: steady state)? records sent, ([\d.]+) records/sec .* (\d+) ms 50th, \d+ ms 95th, (\d+) ms 99th, (\d+) ms 99.9th", re.M)


def absent():
    """None, or why there are no Java tools."""
    if not shutil.which("java"):
        return "no Java on this machine"
    try:
        kafka_tools.fetch()
    except (OSError, subprocess.SubprocessError) as problem:
        return f"Kafka's tools cannot be fetched: {problem}"
    return None


def said(*command):
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=LIMIT_S)
    if done.returncode:
        raise peers.Broke(f"{command[0]} ended with {done.returncode}: {(done.stdout + done.stderr).strip()[-300:]}")
    return done.stdout


def java(tool, broker, topic, *words):
    return said("java", "-Xmx512m", "-cp", f"{kafka_tools.fetch()}/*", f"org.apache.kafka.tools.{tool}",
                "--bootstrap-server", f"127.0.0.1:{broker.port}", "--topic", topic, *words)


class Spent:
    """The broker's processor time for some work."""

    def __init__(self, broker):
        self.pid, self.before = broker.pid, proc.cpu_seconds(broker.pid)

    def per_gb(self, count):
        return (proc.cpu_seconds(self.pid) - self.before) / (count * SIZE / 1e9)


def perf_tools(broker, topic, count):
    """Kafka's own producer and consumer; the first sixth of the records warms the producer."""
    spent = Spent(broker)
    printed = java("ProducerPerformance", broker, topic, "--num-records", str(count), "--record-size", str(SIZE),
                   "--throughput", "-1", "--warmup-records", str(count // 6))
    steady = SENT.findall(printed)[-1:]
    if not steady or int(steady[0][0]) != count - count // 6:
        raise peers.Broke(f"the producer did not say what it sent: {printed[-300:]}")
    _, rate, middle, p99, p999 = steady[0]
    found = {"produce": float(rate) * SIZE / 1e6, "p50": float(middle), "p99": float(p99), "p999": float(p999),
             "produce_cpu": spent.per_gb(count)}
    spent = Spent(broker)
    printed = java("ConsumerPerformance", broker, topic, "--num-records", str(count), "--hide-header").strip().splitlines()
    fields = [field.strip() for field in printed[-1].split(",")]
    if int(fields[4]) < count:
        raise peers.Broke(f"the consumer read {fields[4]} of {count} records")
    return found | {"consume": float(fields[9]) * SIZE / 1e6, "consume_cpu": spent.per_gb(count)}


def lines(folder, count):
    """A file of that many lines for kcat."""
    file = folder / "lines"
    if not file.exists():
        source = random.Random(1)
        distinct = ["".join(source.choices(string.ascii_letters + string.digits, k=SIZE)) + "\n" for _ in range(DISTINCT_LINES)]
        with open(file, "w", encoding="ascii") as out:
            for number in range(count):
                out.write(distinct[number % DISTINCT_LINES])
        os.sync()
    return file


def kcat(broker, topic, count):
    file = lines(broker.folder, count)
    found = {}
    for name, words in (("produce", ("-P", "-l", file)), ("consume", ("-C", "-o", "beginning", "-e", "-f", "%p\n"))):
        spent, begin = Spent(broker), time.monotonic()
        printed = said("kcat", "-b", f"127.0.0.1:{broker.port}", "-q", "-t", topic, *words)
        found |= {name: count * SIZE / 1e6 / (time.monotonic() - begin), f"{name}_cpu": spent.per_gb(count)}
    if printed.count("\n") != count:
        raise peers.Broke(f"kcat read {printed.count(chr(10))} of {count} records")
    return found


def sampler(name, work):
    def sample(broker, sizes, load):
        with client.serving(broker) as (connection, first_warm_share):
            def once():
                topic = f"users-{time.monotonic_ns()}"
                client.make_topic(connection, broker, topic, PARTITIONS)
                client.insist(lambda: client.find_coordinator(connection, topic), lambda code: code == 0, broker.poll_s)
                found = work(broker, topic, sizes.user_records)
                client.must_hold(connection, topic, PARTITIONS, sizes.user_records)
                connection.delete_topics([topic])
                return found
            end = time.monotonic() + first_warm_share * sizes.first_warm_s
            while time.monotonic() < end:
                once()
            with load.window(broker):
                return {f"{name}.{key}": value for key, value in once().items()}
    return sample


def rows(name, latency):
    yield Row(f"{name}.produce", "produce 1 KiB records", "MB/s", True)
    if latency:
        yield Row(f"{name}.p50", "  latency of a record, median", "ms")
        yield Row(f"{name}.p99", "  p99", "ms")
        yield Row(f"{name}.p999", "  p99.9", "ms")
    yield Row(f"{name}.produce_cpu", "  CPU of the broker", "s/GB")
    yield Row(f"{name}.consume", "consume them", "MB/s", True)
    yield Row(f"{name}.consume_cpu", "  CPU of the broker", "s/GB")


def cases():
    # All of it stays until it has been read; the topic goes after each round.
    settings = disk.bounds(PARTITIONS) | {"log.retention.bytes": "-1"}
    yield Case("java", "Kafka's own perf tools", list(rows("java", True)), sampler("java", perf_tools), stays_up=True, settings=settings,
               needs=absent, client="kafka-tools 4.4.0")
    yield Case("kcat", "kcat", list(rows("kcat", False)), sampler("kcat", kcat), stays_up=True, settings=settings,
               needs=lambda: None if shutil.which("kcat") else "kcat is not installed", client="kcat (librdkafka)")
