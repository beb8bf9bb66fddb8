"""The speed scenarios: load from `load` (src/apps/programs/load), a program that costs little, so that the
broker is measured and not its client. CPU is taken between the two lines that it writes around its
measured time. Every run checks that what was acknowledged is there.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import subprocess

import calls
import client
import disk
import peers
import proc
from case import PAIR, WITH_FSYNC, Case, Row

MIB = 1 << 20


OF_MANY = 0.7  # shorter: what is written to a thousand partitions all stays, since no segment of theirs is full before the end


@dataclasses.dataclass
class Scenario:
    """What `load` is told, and what its work is counted in: bytes, requests, records or transactions."""

    title: str
    work: str
    words: tuple
    partitions: int = 6
    seconds: float = 1  # times what a sample usually takes: slow ones must write more than the page cache absorbs
    preloads: bool = False  # reads what the run wrote before: who synced that does not matter
    least: int = disk.LEAST_PARTITION  # of a partition's segment, and of what is held of it
    quiet: bool = False  # too little load to warm a compiler at run time

    def settings(self):
        """Of every broker: the topic is one for all rounds, and its old records go as new ones come."""
        return disk.bounds(self.partitions, self.least)


def _named(name, title, work, partitions=6, seconds=1, quiet=False):
    return Scenario(title, work, ("--scenario", name), partitions, seconds, quiet=quiet)


def _reading(word, title, work, partitions=6):
    """Of what the run itself wrote before. `f` reads all of it, which retention must leave."""
    return Scenario(title, work, ("--scenario", word), partitions, preloads=True)


SCENARIOS = {
    "a": _named("a", "256 KiB batches of 1 KiB records", "bytes"),
    "a16": _named("a16", "16 KiB batches of 1 KiB records", "bytes", seconds=1.5),
    "b": _named("b", "batches of 1,000 records of 100 B", "bytes", seconds=1.5),
    "c": _named("c", "one 100 B record a request, 64 connections x 1", "requests"),
    "c5": _named("c5", "one 100 B record a request, 64 connections x 5", "requests"),
    "d": _named("d", "1,000 partitions, 100 connections x 2, 10 x 4 x 256 B", "requests", 1000, OF_MANY),
    "d-paced": _named("d-paced", "1,000 partitions, 100 connections, 10 MB/s at fixed times", "requests", 1000, quiet=True),
    "e1": _reading("e", "consume the tail, 6 partitions, 1 MiB of each an answer", "bytes"),
    "e5": _reading("e5", "consume the tail, five groups", "bytes"),
    "e2": _reading("e2", "consume 1,000 partitions, one batch of 1.1 KB of each an answer", "records", 1000),
    "f": _reading("f", "produce at half load beside a cold reader", "bytes"),
    "g5": _named("g5", "producer to consumer, 16 KiB batches at 5 MB/s", "bytes", quiet=True),
    "g50": _named("g50", "producer to consumer, 16 KiB batches at 50 MB/s", "bytes", quiet=True),
    "g150": _named("g150", "producer to consumer, 16 KiB batches at 150 MB/s", "bytes", quiet=True),
    "g1000": _named("g1000", "producers to a consumer of 1,000 partitions, 10 MB/s", "bytes", 1000, quiet=True),
    **{f"k-{codec}": _named(f"k-{codec}", f"batches of 1,000 records of 100 B, {codec}", "bytes")
       for codec in ("gzip", "snappy", "lz4", "zstd")},
    "j": _named("j", "transactions of one record, 1 producer", "transactions", quiet=True),
    "j16": _named("j16", "transactions of one record, 16 producers", "transactions", quiet=True),
}
# Does the cost of durability grow with the number of partitions? Requests and batches are equal in each group;
# a request has one batch of a partition, so that small ones begin at ten.
OVER_PARTITIONS = {
    **{f"small-{count}": Scenario(f"{count:,} partitions, 10 batches of 1.1 KB a request", "bytes",
                                  ("--scenario", "d", "--partitions", str(count)), count, OF_MANY) for count in (10, 100, 1000)},
    **{f"large-{count}": Scenario(f"{count:,} partitions, batches of 256 KiB", "bytes",
                                  ("--scenario", "a", "--partitions", str(count)), count, least=8 * MIB) for count in (1, 100, 1000)},
}


def sample_seconds(name, sizes):
    """How long the clock of a sample runs; None of what is no speed scenario."""
    scenario = (SCENARIOS | OVER_PARTITIONS).get(name.removeprefix("peers-"))
    return sizes["load_s"] * scenario.seconds if scenario else None


@contextlib.contextmanager
def killed_early(process):
    """Whoever ends the bench does not wait for the load."""
    try:
        yield
    except BaseException:
        process.kill()
        raise


def run(broker, words, seconds, warm_s, on_line):
    """Runs the load program to its end; calls on_line with each line that it writes while it works."""
    command = [*broker.load_command(), "--port", str(broker.port), "--topic", "speed", *words, "--seconds", str(seconds),
               "--warm", str(warm_s)]
    with (subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process,
          disk.guarded(broker.folder, process.kill), killed_early(process)):
        said = []
        for line in process.stderr:
            said.append(line.strip())
            on_line(line.strip())
        printed = process.stdout.read()
    if process.returncode:
        raise peers.Broke(f"load ended with code {process.returncode}: {' '.join(said)[-300:]}")
    return json.loads(printed)


class Meter:
    """Processor time of the broker's process and of the whole machine, less brokers that wait for their turn, and the
    broker's system calls, while the load is measured."""

    def __init__(self, broker, load):
        self.broker, self.load, self.at, self.counted = broker, load, {}, {}

    def note(self, line):
        if line in ("measuring", "measured"):  # processor time first: `load` does not wait for the other look
            self.at[line] = proc.cpu_seconds(self.broker.pid), proc.busy_seconds() - self.load.waiting_seconds()
            self.counted[line] = calls.look(self.broker)

    def used(self):
        (broker, machine), (broker_after, machine_after) = self.at["measuring"], self.at["measured"]
        return broker_after - broker, machine_after - machine

    def calls(self):
        return calls.between(self.counted["measuring"], self.counted["measured"])


def page_cache(folder):
    """A file that stays: a page cache that grows into memory which nobody touched yet costs the broker that
    relies on it several times as much as one that recycles its pages. Gives what was written, in bytes."""
    facts = dict(line.split(":", 1) for line in pathlib.Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
    free = int(facts["MemFree"].split()[0]) * 1024
    space = shutil.disk_usage(folder).free
    size = min(free - 3 * 1024 * MIB, space // 4)
    block = b"t" * MIB
    with open(pathlib.Path(folder) / "page-cache", "wb") as file:
        for _ in range(max(size, 0) // MIB):
            file.write(block)
        os.fsync(file.fileno())
    return max(size, 0)


def warm_up(broker, connection, seconds):
    """Full load on a topic that goes again."""
    run(broker, (*SCENARIOS["a16"].words, "--topic", "warming"), seconds, 0, lambda _: None)
    connection.delete_topics(["warming"])


def sampler(scenario, name):
    def sample(broker, sizes, load):
        with client.serving(broker) as (connection, first_warm_share):
            warm = first_warm_share * sizes.first_warm_s or sizes.warm_s
            if first_warm_share and scenario.quiet:
                warm_up(broker, connection, warm)
                warm /= 2
        meter = Meter(broker, load)
        with load.window(broker):
            words = scenario.words + (("--preload", "16") if scenario.preloads and sizes.smoke else ())
            told = run(broker, words, sizes.load_s * scenario.seconds, warm, meter.note)
        found = figures(scenario.work, told, meter, broker)
        if "read_mb_per_s" in told:
            found |= {"ratio": told["p99_us"] / told["alone_p99_us"], "reader": told["read_mb_per_s"] / told["read_alone_mb_per_s"],
                      "read": told["read_mb_per_s"]}
        return {f"{name}.{key}": value for key, value in found.items()}
    return sample


def figures(work, told, meter, broker):
    if not told["requests"]:
        raise peers.Broke(f"no request was answered in {told['seconds']} s")
    broker_s, machine_s = meter.used()
    machine_s -= told["client_cpu_s"]
    rate, per = {
        "bytes": (told["mb_per_s"], told["mb_per_s"] * told["seconds"] / 1000),
        "records": (told["records_per_s"] / 1e6, told["records"] / 1e6),
        "requests": (told["requests_per_s"] / 1000, told["requests"] / 1e6),
        "transactions": (told["requests_per_s"], told["requests"] / 1e6),
    }[work]
    found = {"rate": rate, "cpu": broker_s / per, "machine": machine_s / per, "memory": proc.resident_mib(broker.pid),
             "p50": told["p50_us"] / 1000, "p99": told["p99_us"] / 1000, "p999": told["p999_us"] / 1000,
             "gb": told["mb_per_s"] * told["seconds"] / 1000, "client": told["client_cpu_s"] / per}
    return found | meter.calls() | ({"records": broker_s / (told["records"] / 1e6)} if work == "bytes" else {})


LOADS = (5, 20, 50, 100, 200)  # MB/s
LOAD_SHARE, LOAD_WARM_S = 0.3, 1  # of what a sample usually takes, and before each load


def latency(broker, sizes, load):
    """Requests at fixed times, at one load after the other."""
    found = {}
    sizes = dataclasses.replace(sizes, warm_s=min(sizes.warm_s, LOAD_WARM_S))
    for rate in LOADS:
        scenario = Scenario("", "bytes", ("--scenario", "a16", "--rate", str(rate)), seconds=LOAD_SHARE, quiet=True)
        values = sampler(scenario, "")(broker, sizes, load)
        found |= {f"latency.{rate}.{key}": values[f".{key}"] for key in ("p50", "p99", "p999", "rate")}
    return found


def latency_rows():
    for rate in LOADS:
        yield Row(f"latency.{rate}.p50", f"latency at {rate} MB/s, median", "ms")
        yield Row(f"latency.{rate}.p99", "  p99", "ms")
        yield Row(f"latency.{rate}.p999", "  p99.9", "ms")
        yield Row(f"latency.{rate}.rate", "  taken", "MB/s", True)


def rows(name, scenario):
    rate, cost = {"bytes": ("MB/s", "s/GB"), "requests": ("k/s", "us"), "records": ("M/s", "us"),
                  "transactions": ("/s", "us")}[scenario.work]
    yield Row(f"{name}.rate", scenario.title, rate, True)
    yield Row(f"{name}.cpu", "  CPU of the broker", cost)
    yield Row(f"{name}.machine", "  CPU of the machine less the client", cost)
    if scenario.work == "bytes":
        yield Row(f"{name}.records", "  CPU of the broker", "s/M records")
    yield Row(f"{name}.calls", "  system calls a request", "")
    if name.startswith("peers-"):
        yield Row(f"{name}.client", "  CPU of the client", cost)
    yield Row(f"{name}.memory", "  memory of the broker", "MiB")
    yield Row(f"{name}.p50", "  latency, median", "ms")
    yield Row(f"{name}.p99", "  latency, p99", "ms")
    yield Row(f"{name}.p999", "  latency, p99.9", "ms")
    if name == "f":
        yield Row("f.ratio", "  p99 over that without the reader", "")
        yield Row("f.read", "  the cold reader", "MB/s", True)
        yield Row("f.reader", "  its rate over that alone", "", True)


# What the machine could do at best: everywhere, but the program knows no transactions and keeps half a gigabyte.
LIMITS = {"c": ("limit", "echo"), "c5": ("limit", "echo"), "f": (), "j": (), "j16": ()}


def case(name, scenario):
    """Tailwater with fsync against Kafka without, its default, and with; all stay up from round to round, and warm."""
    systems = (PAIR if scenario.preloads else WITH_FSYNC) + LIMITS.get(name, ("limit",))
    return Case(name, scenario.title, list(rows(name, scenario)), sampler(scenario, name), systems, stays_up=True,
                settings=scenario.settings())


PEERS = ("tailwater", "kafka", "nats", "nats-sync", "rabbitmq", "redpanda")


def peer_case(name):
    """The same load on systems that do not speak Kafka's protocol, as far as they can be asked for the same."""
    scenario, shown = SCENARIOS[name], f"peers-{name}"
    return Case(shown, f"{scenario.title}: other systems", list(rows(shown, scenario)), sampler(scenario, shown), PEERS,
                stays_up=True, settings=scenario.settings(), client="load and peer_load")


def latency_case():
    return Case("latency", "16 KiB batches at fixed times, at growing load", list(latency_rows()), latency,
                (*WITH_FSYNC, "limit"), stays_up=True, settings=disk.bounds(6))
