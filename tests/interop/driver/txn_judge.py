"""Decides whether the transactions of a client program went right, from three kinds of facts: the raw log of both topics,
what the broker tells a reader of committed records (last stable offset, aborted transactions), and the
program's event file, with one tab separated line per event:
    E number fate                                  a transaction's end was acknowledged, or refused as the plan wants it
    R isolation topic partition offset value       a record was handed to a reader, committed or uncommitted
The fate of a record is derived from the log alone: it is that of the next marker of its producer. Every check returns a
list of complaints; an empty list means right.
"""

import collections
import dataclasses
import struct

import wire
from judge import some
from scenario import Txn

ABORT, COMMIT = "abort", "commit"
TOLD_BY_MARKER = {"commit": COMMIT, "abort": ABORT, "fenced": ABORT, "expired": ABORT}  # planned fate -> marker


@dataclasses.dataclass(slots=True)
class Entry:
    offset: int
    data: bytes
    producer: tuple  # (id, epoch)
    fate: str | None = None  # None: no marker ended it
    key: bytes | None = None

    @property
    def value(self):
        return self.data.decode(errors="replace")


@dataclasses.dataclass
class Partition:
    """What a partition holds, and what the broker says of it."""

    name: str
    batches: list
    end: int
    stable: int
    aborted: set  # {(producer id, first offset)}


@dataclasses.dataclass
class Events:
    ends: list   # [(number, fate)]
    reads: dict  # (isolation, topic, partition) -> [(offset, value)]
    noise: list


def partition_log(connection, topic, partition, end):
    batches, aborted, stable, at = [], set(), 0, 0
    while at < end:
        _, data = connection.fetch(topic, partition, at)
        batches += [batch for batch in wire.decoded(data) if batch.last >= at]
        stable, told, _ = connection.fetch_committed(topic, partition, at)
        aborted.update(told)
        if not batches or batches[-1].last < at:
            break  # not readable: follow() says so
        at = batches[-1].last + 1
    return Partition(f"{topic}-{partition}", batches, end, stable, aborted)


def log(connection, topic, partitions):
    return [partition_log(connection, topic, partition, end) for partition, end in enumerate(connection.offsets(topic, partitions))]


def events(path):
    found = Events([], collections.defaultdict(list), [])
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            kind, *fields = line.rstrip("\n").split("\t")
            try:
                if kind == "E":
                    number, fate = fields
                    found.ends.append((int(number), fate))
                elif kind == "R":
                    isolation, topic, partition, offset, value = fields
                    found.reads[(isolation, topic, int(partition))].append((int(offset), value))
                else:
                    raise ValueError
            except ValueError:
                found.noise.append(f"event line not understood: {line[:80]!r}")
    return found


def follow(partition, plain=False):
    """(data records with their fates, complaints): what the log says, and whether the broker tells readers the same.
    A log of records outside transactions is plain."""
    entries, wrong, running, aborted, at = [], [], {}, set(), 0
    for batch in partition.batches:
        if batch.base != at:
            wrong.append(f"{partition.name}: batch {batch.base} after {at}")
        at = batch.last + 1
        if batch.control:
            _, kind = struct.unpack(">hh", batch.records[0][1][:4])
            mine = running.pop(batch.producer[0], [])
            for entry in mine:
                entry.fate = COMMIT if kind == 1 else ABORT
            if mine and kind != 1:
                aborted.add((batch.producer[0], mine[0].offset))
            continue
        if plain:
            entries += [Entry(offset, value or b"", batch.producer, key=key) for offset, key, value in batch.records]
            continue
        if not batch.transactional:
            wrong.append(f"{partition.name}: batch {batch.base} is not transactional")
        for offset, key, value in batch.records:
            entry = Entry(offset, value or b"", batch.producer, key=key)
            entries.append(entry)
            running.setdefault(batch.producer[0], []).append(entry)
    if at != partition.end:
        wrong.append(f"{partition.name}: readable to {at}, its end is {partition.end}")
    wrong += [f"{partition.name}: nothing ended the transaction of producer {producer} at {mine[0].offset}"
              for producer, mine in running.items()]
    if partition.stable != partition.end:
        wrong.append(f"{partition.name}: the last stable offset is {partition.stable}, the end {partition.end}")
    if partition.aborted != aborted:
        wrong.append(f"{partition.name}: aborted are {sorted(aborted)}, readers are told {sorted(partition.aborted)}")
    return entries, some(wrong)


def planned(entries, ends):
    """entries: by partition, of the first topic. Each transaction is there whole and once, and ended as told and planned."""
    wrong = []
    if sorted(ends) != sorted(Txn.PLAN.items()):
        missing, more = Txn.PLAN.items() - set(ends), collections.Counter(ends) - collections.Counter(Txn.PLAN.items())
        wrong.append(f"ends not told: {sorted(missing)}, told though not planned: {sorted(more)}")
    have = collections.defaultdict(list)
    for partition, mine in enumerate(entries):
        for entry in mine:
            have[(partition, entry.value.partition(":")[0])].append((entry.value, entry.fate))
    for number, fate in Txn.PLAN.items():
        for partition in range(len(entries)):
            want = [(v, TOLD_BY_MARKER[fate]) for p, v in Txn.values(number) if p == partition and number != Txn.LAST]
            found = have.pop((partition, str(number)), [])
            if found != want:
                wrong.append(f"transaction {number}, partition {partition}: {found}, planned {want}")
    wrong += [f"partition {p} holds records of {number!r}, which is not planned" for p, number in have]
    return some(wrong)


def exactly(name, entries, want):
    """The committed records of a partition are these values, each once and in order."""
    have = [entry.value for entry in entries if entry.fate == COMMIT]
    if have == want:
        return []
    twice = [value for value, count in collections.Counter(have).items() if count > 1]
    return [f"{name}: {len(have)} records of {len(want)}, twice {twice[:3]}, lost {sorted(set(want) - set(have))[:3]}, "
            f"not planned {sorted(set(have) - set(want))[:3]}, or in another order"]


def transformed(source, target, committed):
    """Source and target by partition, committed: the group's offsets. The target holds what the source does, exactly once
    and in order, the offsets say so, and something was aborted and done again on the way."""
    wrong = []
    for partition, (taken, given) in enumerate(zip(source, target)):
        good = [entry for entry in taken if entry.fate == COMMIT]
        want = [Txn.transformed(entry.value) for entry in good]
        want += [v for p, v in Txn.values(Txn.LAST) if p == partition]
        wrong += exactly(f"partition {partition}", given, want)
        if good and committed[partition] <= good[-1].offset:
            wrong.append(f"partition {partition}: committed {committed[partition]}, the last record is {good[-1].offset}")
    if not any(entry.fate == ABORT for given in target for entry in given):
        wrong.append("no transaction of the transform was aborted: it shows nothing")
    return some(wrong)


def counted(lines, counts):
    """Both by partition: each word of the lines has the counts 1, 2, 3 and so on, in order, as many as there are of it; and
    something was aborted on the way."""
    want = collections.Counter(word for mine in lines for entry in mine for word in entry.value.split())
    have = collections.defaultdict(list)
    for mine in counts:
        for entry in mine:
            if entry.fate == COMMIT:
                have[(entry.key or b"").decode(errors="replace")].append(int.from_bytes(entry.data, "big"))
    wrong = []
    for word in sorted(want.keys() | have.keys()):
        found = have[word]
        if found != list(range(1, want[word] + 1)):
            first = next((i for i, count in enumerate(found) if count != i + 1), len(found))
            wrong.append(f"{word}: {len(found)} counts of {want[word]}; number {first + 1} is {found[first:first + 1]}")
    if not any(entry.fate == ABORT for mine in counts for entry in mine):
        wrong.append("no transaction was aborted: the kills show nothing")
    return some(wrong)


def read(topic, entries, reads):
    """Both kinds of reader saw exactly what they must, in order."""
    wrong = []
    for partition, mine in enumerate(entries):
        for isolation in ("committed", "uncommitted"):
            want = [(e.offset, e.value) for e in mine if isolation == "uncommitted" or e.fate == COMMIT]
            have = reads.get((isolation, topic, partition), [])
            if have != want:
                first = next((i for i, (h, w) in enumerate(zip(have, want)) if h != w), min(len(have), len(want)))
                wrong.append(f"{topic}-{partition}, {isolation}: {len(have)} records, {len(want)} wanted; number {first} is "
                             f"{have[first:first + 1]}, wanted {want[first:first + 1]}")
    return some(wrong)


def protocol(entries):
    """"v1" when a producer keeps its epoch from one transaction to the next, "v2" when each has its own."""
    seen = collections.defaultdict(set)
    for mine in entries:
        for entry in mine:
            number = entry.value.partition(":")[0]
            if number.isdigit() and int(number) < Txn.ENDS:
                seen[number].add(entry.producer)
    if any(len(producers) != 1 for producers in seen.values()):
        return "several epochs within a transaction"
    distinct = len({next(iter(producers)) for producers in seen.values()})
    return {2: "v1", len(seen): "v2"}.get(distinct, f"{distinct} epochs in {len(seen)} transactions")
