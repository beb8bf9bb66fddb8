"""The scenario with kcat, as a shell user would drive it: each member is a process of its own.

kcat has no admin client (the topics are made by the raw wire client) and does not say when it
commits: it stores offsets as it prints and commits them on revoke and when it ends. So the reads of
the first three members are written in the order of their offsets once all have stopped, followed
by what the broker then holds as committed; the resuming member must start exactly there. Members
leave by their own count (-c): a signal while kcat waits for room in its pipe costs it a line.
"""

import json
import re
import signal
import subprocess
import threading

import interop
import wire
from interop import ALL, BROKER, CODECS, PARTITIONS, PREFIX, TOPICS, expect, step, topic

SHARES = {"a": 0.60, "b": 0.20, "c": 0.08, "d": None}  # a cannot have so much without taking over from others
KCAT = ["kcat", "-b", BROKER]


def kcat(*arguments, stdin=None):
    done = subprocess.run([*KCAT, *arguments], input=stdin, capture_output=True, text=True, timeout=180, check=False)
    expect(done.returncode == 0, f"kcat {' '.join(arguments[:4])}: {done.stderr.strip()[-300:]}")
    return done.stdout


def produce(codec):
    lines = "".join(f"{k}\t{v}\n" for k, v in interop.records(codec))
    kcat("-P", "-t", topic(PREFIX, codec), "-K", "\t", "-H", "suite=interop", "-X", "topic.partitioner=murmur2",
         "-X", "linger.ms=20", *(["-z", codec] if codec != "none" else []), stdin=lines)
    return "topic created by the wire client"


class Member:
    """One kcat -G. Its output is read at the group's pace: a full pipe slows it down."""

    def __init__(self, name, group_id, share, pace):
        self.name, self.pace, self.reads, self.assigned = name, pace, [], 0
        count = ["-c", str(int(share * interop.RECORDS * len(CODECS)))] if share else []
        self.process = subprocess.Popen(
            [*KCAT, "-G", group_id, "-u", *count, "-f", "%t\t%p\t%o\t%k\t%s\n", "-X", "auto.offset.reset=earliest",
             "-X", "auto.commit.interval.ms=500", "-X", "heartbeat.interval.ms=300", "-X", "session.timeout.ms=30000",
             *TOPICS], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self.listen, self.watch)]
        for thread in self.threads:
            thread.start()

    def listen(self):
        for line in self.process.stdout:
            name, partition, offset, key, value = line.rstrip("\n").split("\t")
            self.reads.append((name, int(partition), int(offset), key, value))
            wait = self.pace.seen(name, int(partition), int(offset))
            if wait:
                interop.time.sleep(wait)

    def watch(self):
        for line in self.process.stderr:
            print(self.name, line, end="", file=interop.sys.stderr)
            if "assigned:" in line:
                self.assigned = len(re.findall(r"\[\d+\]", line.split("assigned:")[1]))
            elif "revoked:" in line:
                self.assigned = 0

    def stop(self):
        """Waits for its count; what has none has read everything and is not writing."""
        if self.name == "d":
            self.process.send_signal(signal.SIGTERM)
        for thread in self.threads:
            thread.join(120)
        expect(self.process.wait(60) == 0, f"kcat {self.name} ended with {self.process.returncode}")
        self.assigned = 0


class Pace(interop.Pace):
    """Counts while members read; the event file is written when they have stopped."""

    def seen(self, name, partition, offset):
        with self.lock:
            before = self.next.get((name, partition), 0)
            if offset >= before:
                self.next[(name, partition)] = offset + 1
                self.progress += offset + 1 - before
        return 0.02 if self.progress >= self.ceiling else 0

    def write(self, members, group_id):
        reads = sorted((read[:3], member.name, read) for member in members for read in member.reads)
        for _, name, read in reads:
            self.event("R", name, *read)
        for member in members:
            self.event("L", member.name)
        with wire.Connection(BROKER) as connection:
            for name in TOPICS:
                for partition, offset in enumerate(connection.committed(group_id, name, PARTITIONS)):
                    if offset >= 0:
                        self.event("C", "broker", name, partition, offset)


def run_group():
    group_id, pace, m = interop.group(PREFIX), Pace(""), {}

    def shared(*names):
        return all(m[name].assigned for name in names) and sum(m[name].assigned for name in names) == ALL

    def start(name):
        m[name] = Member(name, group_id, SHARES[name], pace)

    def shares(*names):
        return "+".join(str(m[name].assigned) for name in names)

    def two():
        pace.up_to(0.05)
        start("a")
        start("b")
        interop.await_("two members share all partitions", lambda: shared("a", "b"))
        text = shares("a", "b")
        interop.await_("both read", lambda: m["a"].reads and m["b"].reads)
        pace.up_to(0.15)
        interop.await_("15 % are read", lambda: pace.reached(0.15))
        return text

    def join():
        start("c")
        interop.await_("three members share", lambda: shared("a", "b", "c"))
        text = shares("a", "b", "c")
        interop.await_("the third reads", lambda: m["c"].reads)
        return text

    def leave():
        pace.up_to(2)
        for name in ("b", "c", "a"):
            m[name].stop()
        pace.write([m["a"], m["b"], m["c"]], group_id)
        places = {read[:2] for read in m["a"].reads}
        return f"a has read {len(m['a'].reads)} records of {len(places)} partitions"

    def resume():
        start("d")
        interop.await_("everything is read", lambda: pace.reached(1))
        m["d"].stop()
        pace.write([m["d"]], group_id)
        return f"{len(m['d'].reads)} records left to read"

    for name, phase in (("group", two), ("join", join), ("leave", leave), ("resume", resume)):
        if not step(name, phase):
            break
    for member in m.values():
        member.process.kill()
    pace.close()


def topics():
    found = {t["topic"]: len(t["partitions"]) for t in json.loads(kcat("-L", "-J"))["topics"]}
    expect(all(found.get(name) == PARTITIONS for name in TOPICS), f"kcat -L shows {found}")
    return f"{len(found)} topics"


def offsets():
    total = 0
    for name in TOPICS:
        for timestamp in ("-1", "0"):
            output = kcat("-Q", *[x for p in range(PARTITIONS) for x in ("-t", f"{name}:{p}:{timestamp}")])
            found = [int(o) for o in re.findall(r"offset (\d+)", output)]
            expect(len(found) == PARTITIONS, f"kcat -Q says {output!r}")
            expect(timestamp == "-1" or not any(found), "first by time is not 0")
            total += sum(found)
    expect(total == interop.RECORDS * len(CODECS), f"ends add up to {total}")
    return f"{total} at the end"


with wire.Connection(BROKER) as wire_connection:
    wire_connection.create_topics(TOPICS, PARTITIONS)
interop.settle()
for each in CODECS:
    step(f"produce.{each}", lambda each=each: produce(each))
run_group()
step("admin.topics", topics)
step("admin.offsets", offsets)
interop.finish()
