"""What a broker is put under while things happen to it, and the judgement afterwards; see README.md.

    Feed      an idempotent kcat with acks=all sends numbered records without end
    Witness   witness.py: records with acks=1, group commits, topics
    Ledger    ledger.py: transactions that are committed, aborted, fenced and forgotten, into `source`
    Workers   workers.py: from `source` to `target`, exactly once
"""

import collections
import functools
import json
import pathlib
import signal
import subprocess
import tempfile
import threading
import time

import install
import txn_judge
import wire
from workers import SOURCE, STILL_S, TARGET, Workers, committed

HERE = pathlib.Path(__file__).resolve().parent
PARTITIONS, WORKERS, BATCH = 4, 2, 50
DRAIN_LIMIT_S = 300
SETTLE_LIMIT_S = 10
# So that what outlives a pause, or a fenced worker, is noticed within the test.
SETTINGS = {"num.partitions": PARTITIONS, "group.min.session.timeout.ms": "1000", "group.initial.rebalance.delay.ms": "0",
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
            # So that batches of a load as small as this one also go past the journal.
            "tailwater.direct.bytes": "4096"}


def read_back(broker, topic, isolation="read_uncommitted"):
    """[(key, value)] by partition, as kcat prints them."""
    seen = {}
    for partition in range(PARTITIONS):
        done = subprocess.run(
            ["kcat", "-C", "-e", "-q", "-b", broker, "-t", topic, "-p", str(partition), "-X", f"isolation.level={isolation}",
             "-o", "beginning", "-f", "%k=%s\n"], capture_output=True, text=True, timeout=DRAIN_LIMIT_S, check=True)
        seen[partition] = [tuple(line.split("=", 1)) for line in done.stdout.splitlines()]
    return seen


class Feed:
    """Numbered records into the standard input of a producer, at a steady pace, until told to end."""

    def __init__(self, broker):
        self.ending, self.count = False, 0
        self.process = subprocess.Popen(
            ["kcat", "-P", "-E", "-q", "-b", broker, "-t", "kills", "-K", "=",
             "-X", "enable.idempotence=true", "-X", "acks=all", "-X", "message.timeout.ms=300000",
             "-X", "reconnect.backoff.ms=10", "-X", "reconnect.backoff.max.ms=50", "-X", "linger.ms=2",
             "-X", "topic.partitioner=murmur2"],
            stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.thread = threading.Thread(target=self.write, daemon=True)
        self.thread.start()

    def write(self):
        try:
            self.write_on()
        except BrokenPipeError:
            pass  # it is gone: check() and the verdict say so

    def write_on(self):
        while not self.ending:
            lines = []
            for _ in range(50):
                lines.append(f"{self.count % 97}={self.count}:{'x' * (self.count % 211)}\n")
                self.count += 1
            self.process.stdin.write("".join(lines).encode())
            self.process.stdin.flush()
            time.sleep(0.005)
        self.process.stdin.close()

    def check(self):
        if not self.thread.is_alive():
            raise RuntimeError("the feed ended by itself")

    def verdict(self, broker):
        self.ending = True
        self.thread.join()
        said = f"{self.count} records of an idempotent producer"
        if self.process.wait(timeout=DRAIN_LIMIT_S) != 0:
            return said, [f"the producer ended with {self.process.returncode}: not every record was acknowledged"]
        return said, fed(read_back(broker.address, "kills"), self.count)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def fed(seen, written):
    """What is wrong with the feed's records, (key, value) by partition, of which so many were acknowledged."""
    faults, homes, total = [], {}, 0
    for partition, records in seen.items():
        total += len(records)
        last = {}
        for key, value in records:
            number = int(value.split(":", 1)[0])
            if homes.setdefault(key, partition) != partition:
                faults.append(f"key {key} is in partitions {homes[key]} and {partition}")
            expected = last.get(key, int(key) - 97) + 97
            if number != expected:
                kind = "twice or out of order" if number < expected else "after a gap"
                faults.append(f"partition {partition}: record {number} stands {kind}, {expected} was next")
            last[key] = number
    if total != written:
        faults.append(f"{written} records were acknowledged, {total} are there")
    return faults


class Program:
    """A program of this folder that works until its standard input ends and then says what it saw, as one line of JSON."""

    def __init__(self, python, name, *arguments):
        self.name = name
        self.process = subprocess.Popen([str(python), "-B", str(HERE / name), *map(str, arguments)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError(f"{name} did not start")

    def check(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended by itself with {self.process.returncode}")

    def told(self):
        told, _ = self.process.communicate("", timeout=4 * DRAIN_LIMIT_S)
        if self.process.returncode:
            raise RuntimeError(f"{self.name} ended with {self.process.returncode}")
        return json.loads(told)

    def end(self):
        self.process.kill()
        with self.process:
            pass  # closes its pipes and waits for it


class Witness(Program):
    def __init__(self, python, broker):
        super().__init__(python, "witness.py", broker)

    def verdict(self, _):
        seen = self.told()
        faults = seen.pop("faults")
        # Few are no proof: then something kept it from working, and nothing was shown.
        faults += [f"only {count} {kind} were acknowledged" for kind, count in seen.items() if count < 1]
        return "witness: " + ", ".join(f"{count} {kind}" for kind, count in seen.items()) + " acknowledged", faults


class Ledger(Program):
    """Its program makes and ends clients several times a second. It was seen once that it destroyed its own heap doing so and was
    aborted by its C library ("unaligned tcache chunk"). That is told and takes no part of the proof away: what its
    producers had begun is unknown, and ended by those of its next life. Again and again it is a fault."""

    CRASHES_MAX = 1
    CRASHES = (-signal.SIGABRT, -signal.SIGSEGV)

    def __init__(self, python, broker, seed):
        self.crashes, self.folder = 0, tempfile.TemporaryDirectory(prefix="tailwater-ledger-")
        self.file = pathlib.Path(self.folder.name) / "fates"
        self.start = functools.partial(super().__init__, python, "ledger.py", broker, seed, PARTITIONS, self.file)
        self.start()

    def crashed(self):
        if self.process.returncode not in self.CRASHES or self.crashes == self.CRASHES_MAX:
            return False
        self.crashes += 1
        return True

    def check(self):
        if self.process.poll() is None or not self.crashed():
            return super().check()
        super().end()
        self.start()

    def told(self):
        self.process.communicate("", timeout=4 * DRAIN_LIMIT_S)
        if self.process.returncode and not self.crashed():
            raise RuntimeError(f"{self.name} ended with {self.process.returncode}")
        return written_down(self.file.read_text())

    def verdict(self, broker):
        fates, wrong = self.told()
        entries, faults = follow(broker, SOURCE)
        faults += wrong + settled(fates, entries)
        count = collections.Counter(fate for fate, *_ in fates.values())
        faults += [f"no transaction is {fate}: nothing was shown" for fate in ("committed", "aborted") if not count[fate]]
        said = ", ".join(f"{count[fate]} transactions {fate}" for fate in sorted(count))
        return f"ledger: {said}" + (f"; its client crashed {self.crashes} time(s)" if self.crashes else ""), faults

    def end(self):
        super().end()
        self.folder.cleanup()


def written_down(text):
    """By transaction the last that the ledger wrote down of it, and its faults."""
    fates, faults = {}, []
    for name, *rest in map(json.loads, text.splitlines()):
        if name == "fault":
            faults += rest
        else:
            fates[name] = rest
    return fates, faults


def settled(fates, entries):
    """What is wrong with the ledger's records, by partition, when these were the fates of its transactions (ledger.py)."""
    faults, found = [], collections.defaultdict(dict)  # transaction -> index -> place of its visible records
    for partition, mine in enumerate(entries):
        last = {}
        for entry in mine:
            if entry.fate != txn_judge.COMMIT:
                continue
            name, index = entry.value.split(":")
            producer, number = map(int, name.split("-"))
            if last.get(producer, (-1, -1)) >= (number, int(index)):
                faults.append(f"{entry.value} stands twice or out of order")
            last[producer] = (number, int(index))
            if int(index) in found[name]:
                faults.append(f"{entry.value} is in two partitions")
            found[name][int(index)] = (partition, entry.offset)
    for name, (fate, count, places) in fates.items():
        have, told = found.pop(name, {}), {int(index): tuple(place) for index, place in places.items()}
        right = {"committed": have == told and len(have) == count, "aborted": not have,
                 "unknown": len(have) in (0, count)}[fate]
        if not right:
            faults.append(f"transaction {name} is {fate}; of its {count} records {len(told)} were acknowledged and {len(have)} are visible: "
                          f"missing {sorted(told.items() - have.items())[:3]}, too much {sorted(have.items() - told.items())[:3]}")
    return faults + [f"records of {name}, which was never begun" for name in found]


def follow(broker, topic):
    """The records of a topic by partition, with their fates from the raw log, and what is wrong: with the log, with what
    the broker tells readers of it, and with what a reader of committed records sees."""
    faults, entries = [], []
    limit = time.monotonic() + STILL_S
    with wire.Connection(broker.address) as connection:
        while connection.offsets(topic, PARTITIONS, isolation=1) != connection.offsets(topic, PARTITIONS):
            if time.monotonic() > limit:
                break  # a transaction hangs: the judge says which
            time.sleep(0.1)
        for partition in txn_judge.log(connection, topic, PARTITIONS):
            mine, wrong = txn_judge.follow(partition)
            entries.append(mine)
            faults += wrong
    for partition, records in read_back(broker.address, topic, "read_committed").items():
        want = [entry.value for entry in entries[partition] if entry.fate == txn_judge.COMMIT]
        have = [value for _, value in records]
        if have != want:
            faults.append(f"{topic}-{partition}: a reader of committed records sees {len(have)}, committed are {len(want)}; "
                          f"too much {sorted(set(have) - set(want))[:3]}, missing {sorted(set(want) - set(have))[:3]}")
    return entries, faults


def transformed(broker, workers, meanwhile):
    """The verdict on the workers; `meanwhile` is up to where they came while things happened. The source is complete."""
    source, faults = follow(broker, SOURCE)
    good = [[entry for entry in mine if entry.fate == txn_judge.COMMIT] for mine in source]
    wanted = [mine[-1].offset + 1 if mine else 0 for mine in good]
    limit, before = time.monotonic() + STILL_S, None
    while True:
        workers.check()
        now = committed(broker, PARTITIONS)
        if all(have >= want for have, want in zip(now, wanted)):
            break
        if now != before:
            before, limit = now, time.monotonic() + STILL_S
        if time.monotonic() > limit:
            return "workers: not done", [*faults, f"the workers stand still at {now}, wanted are {wanted}"]
        time.sleep(0.05)
    did = workers.stop()
    target, wrong = follow(broker, TARGET)
    faults += wrong
    for partition, mine in enumerate(good):
        faults += txn_judge.exactly(f"target-{partition}", target[partition], [entry.value for entry in mine])
    with wire.Connection(broker.address) as connection:
        ends = connection.offsets(SOURCE, PARTITIONS)
    after = committed(broker, PARTITIONS)
    if any(not want <= have <= end for want, have, end in zip(wanted, after, ends)):
        faults.append(f"the group's offsets are {after}, taken were {wanted} of {ends}")
    aborted = sum(entry.fate == txn_judge.ABORT for mine in target for entry in mine)
    said = (f"workers: {sum(map(len, good))} records transformed, {100 * meanwhile // sum(ends)} % of the way meanwhile, {aborted} more were aborted on the way; "
            + ", ".join(f"{count} {what}" for what, count in did.items()) + " by those that live")
    return said, faults


class Load:
    """All of it. Where confluent-kafka cannot be had there is the feed alone, and `absent` says why."""

    def __init__(self, broker, seed):
        self.absent, self.parts, self.workers = "", [], None
        try:
            python = install.python()
        except install.Missing as reason:
            self.absent = str(reason)
        try:
            self.parts.append(Feed(broker.address))
            if not self.absent:
                with wire.Connection(broker.address) as connection:
                    connection.create_topics([SOURCE, TARGET], PARTITIONS)
                self.parts += [Witness(python, broker.address), Ledger(python, broker.address, seed)]
                self.workers = Workers(python, broker.address, WORKERS, BATCH)
        except BaseException:
            self.end()
            raise

    def check(self):
        for part in [*self.parts, *filter(None, [self.workers])]:
            part.check()

    def go_on(self, broker, random):
        """Some load with nothing happening: mostly short, so that what comes falls into starts and hand-overs; at times until the
        workers' group has settled and they have done something."""
        self.check()
        if self.workers and random.random() < 0.25:
            before, limit = committed(broker, PARTITIONS), time.monotonic() + SETTLE_LIMIT_S
            while committed(broker, PARTITIONS) == before and time.monotonic() < limit:
                time.sleep(0.02)
            time.sleep(random.uniform(0, 1))
        else:
            time.sleep(random.uniform(0.05, 0.5))

    def verdict(self, broker):
        """(lines to print, faults); the broker runs for good."""
        said, faults = [], []
        meanwhile = sum(committed(broker, PARTITIONS)) if self.workers else 0
        for part in self.parts:
            line, wrong = part.verdict(broker)
            said.append(line)
            faults += wrong
        if self.workers:
            self.workers.bury()
            line, wrong = transformed(broker, self.workers, meanwhile)
            said.append(line)
            faults += wrong
        return said + ([f"not run: {self.absent}"] if self.absent else []), faults

    def end(self):
        for part in [*self.parts, *filter(None, [self.workers])]:
            part.end()
