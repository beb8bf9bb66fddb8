"""What all Python client programs have in common: step lines, event file, pace and the group's phases.
The driver sets the environment; step lines go to standard output, one JSON object each.
"""

import faulthandler
import json
import os
import sys
import threading
import time
import traceback

from scenario import group, key, topic, value  # the judge's rules, from the driver's folder

BROKER = os.environ["INTEROP_BROKER"]
PREFIX = os.environ["INTEROP_PREFIX"]
RECORDS = int(os.environ["INTEROP_RECORDS"])
PARTITIONS = int(os.environ["INTEROP_PARTITIONS"])
KIP848 = os.environ.get("INTEROP_KIP848") == "1"
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
TOPICS = [topic(PREFIX, codec) for codec in CODECS]
ALL = PARTITIONS * len(CODECS)


class NotOffered(Exception):
    """The broker does not have what a step is about: neither right nor wrong."""


def step(name, work):
    """Runs one step and says how it went; a failed step does not keep later ones from being tried."""
    start = time.monotonic()
    try:
        note, good = work(), True
    except NotOffered as reason:
        note, good = f"not offered: {reason}", None
    except Exception as problem:  # the report must tell whatever a client library throws
        traceback.print_exc()
        faulthandler.dump_traceback()  # where each member hangs, if one does
        note, good = f"{type(problem).__name__}: {problem}", False
    print(json.dumps({"step": name, "ok": good, "ms": int((time.monotonic() - start) * 1000), "note": str(note)}), flush=True)
    return good


def expect(truth, what):
    if not truth:
        raise AssertionError(what)


def settle():
    """Real Kafka answers a create before all partitions have their leader, and a change before every broker
    has it; the driver says how long to wait for that."""
    time.sleep(float(os.environ.get("INTEROP_SETTLE", "0")))


def await_(what, truth, seconds=120):
    limit = time.monotonic() + seconds
    while not truth():
        expect(time.monotonic() < limit, f"{seconds} s passed before: {what}")
        time.sleep(0.01)


def records(codec):
    return ((key(i), value(codec, i)) for i in range(RECORDS))


class Pace:
    """The group's progress and its speed. Members run freely up to the ceiling, then slowly, so that a
    join or leave falls in the middle of the work and polling never stops."""

    def __init__(self, suffix):
        self.file = open(os.environ["INTEROP_EVENTS"] + suffix, "w", encoding="utf-8")
        self.lock = threading.Lock()
        self.next, self.progress, self.ceiling, self.readers = {}, 0, 0, set()

    def up_to(self, share):
        self.ceiling = share * RECORDS * len(CODECS)

    def reached(self, share):
        return self.progress >= int(share * RECORDS * len(CODECS))

    def event(self, *fields):
        with self.lock:
            if self.file.closed:  # a member that outlives a failed group
                return
            self.file.write("\t".join(map(str, fields)) + "\n")

    def read(self, member, name, partition, offset, key, value):
        """Notes a record; returns the seconds that the member shall wait before its next one."""
        self.event("R", member, name, partition, offset, key, value)
        with self.lock:
            self.readers.add(member)
            before = self.next.get((name, partition), 0)
            if offset >= before:
                self.next[(name, partition)] = offset + 1
                self.progress += offset + 1 - before
        return 0.005 if self.progress >= self.ceiling else 0

    def close(self):
        self.file.close()


class ThreadMember:
    """A member in a thread of its own. A client's subclass has work(), which runs until self.stopping."""

    def __init__(self, name, group_id, protocol, pace):
        self.name, self.group_id, self.protocol, self.pace = name, group_id, protocol, pace
        self.assigned, self.stopping, self.problem = 0, False, None
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            self.work()
        except Exception as problem:
            traceback.print_exc()
            self.problem = problem
        self.assigned = 0
        self.pace.event("L", self.name)

    def tell(self, count):
        if count != self.assigned:
            self.pace.event("A", self.name, count)
        self.assigned = count

    def committed(self, name, partition, offset):
        self.pace.event("C", self.name, name, partition, offset)

    def stop(self):
        self.stopping = True
        self.thread.join(90)
        expect(not self.thread.is_alive(), f"{self.name} did not stop")
        if self.problem:
            raise self.problem


def run_group(member, protocol="classic", suffix="", describe=lambda group_id: ""):
    """Two members, a third joins, one leaves, all stop, a new one resumes."""
    group_id, pace, m = group(PREFIX, protocol), Pace(suffix), {}

    def shares(*names):
        return "+".join(str(m[name].assigned) for name in names)

    def sound():
        for one in m.values():
            if one.problem:
                raise one.problem

    def read_up_to(share):
        await_(f"{share:.0%} is read", lambda: sound() or pace.reached(share))

    def shared(*names):
        sound()
        return all(m[name].assigned for name in names) and sum(m[name].assigned for name in names) == ALL

    def two():
        pace.up_to(0.20)
        m["a"], m["b"] = member("a", group_id, protocol, pace), member("b", group_id, protocol, pace)
        await_("two members share all partitions", lambda: shared("a", "b"))
        text = shares("a", "b")
        await_("both read", lambda: sound() or {"a", "b"} <= pace.readers)
        read_up_to(0.20)
        return text

    def join():
        m["c"] = member("c", group_id, protocol, pace)
        await_("three members share", lambda: shared("a", "b", "c"))
        text = shares("a", "b", "c")
        await_("the third reads", lambda: sound() or "c" in pace.readers)
        pace.up_to(0.45)
        read_up_to(0.45)
        return text

    def leave():
        m["b"].stop()
        await_("the others took over", lambda: shared("a", "c"))
        text = shares("a", "c")
        pace.up_to(0.70)
        read_up_to(0.70)
        m["a"].stop()
        m["c"].stop()
        return text

    def resume():
        pace.up_to(2)
        m["d"] = member("d", group_id, protocol, pace)
        read_up_to(1)
        text = describe(group_id)
        m["d"].stop()
        return text

    for name, phase in (("group", two), ("join", join), ("leave", leave), ("resume", resume)):
        if not step(name + suffix, phase):
            break
    pace.close()


def finish():
    """Ends the process at once: a failed client must not hang in the library's own threads."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
