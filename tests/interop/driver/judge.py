"""Decides from facts, not from what a client says of itself, whether a run was right.

Two kinds of facts: what the broker stores (read raw, wire.py) and the event file that the client
program wrote while its group consumed. An event file has one tab separated line per event, in the
order in which they happened:
    A member count                                partitions that the member now has
    R member topic partition offset key value     a record was handed to the application
    C member topic partition offset               a synchronous commit has succeeded (after R)
    L member                                      the member has left the group, nothing follows from it
Every check returns a list of complaints; an empty list means right.
"""

import collections
import dataclasses

import scenario
import wire

SHOWN = 5  # complaints of one kind that are spelled out


def some(complaints):
    more = len(complaints) - SHOWN
    return complaints[:SHOWN] + ([f"and {more} more of this kind"] if more > 0 else [])


def stored(connection, prefix, codec, records, partitions):
    """The topic holds exactly `records` records, without a gap, in sound batches of the right codec."""
    topic = scenario.topic(prefix, codec)
    wrong, total, batches, matching = [], 0, 0, 0
    starts, ends = connection.offsets(topic, partitions, -2), connection.offsets(topic, partitions)
    for partition in range(partitions):
        at = starts[partition]
        if at != 0:
            wrong.append(f"{topic}-{partition} starts at {at}")
        while at < ends[partition]:
            _, data = connection.fetch(topic, partition, at)
            before = at
            for base, last, name, count, control, good in wire.batches(data):
                if last < at:
                    continue
                if base != at or count != last - base + 1 or control:
                    wrong.append(f"{topic}-{partition}: batch {base}..{last} holds {count} records, expected from {at}")
                if not good:
                    wrong.append(f"{topic}-{partition}: batch {base} has a wrong CRC")
                batches, total, at = batches + 1, total + count, last + 1
                matching += count if name == codec else 0
            if at == before:
                wrong.append(f"{topic}-{partition}: nothing readable at {at} of {ends[partition]}")
                break
    if sum(ends) != records or total != records:
        wrong.append(f"{topic}: {sum(ends)} by end offsets, {total} in batches, expected {records}")
    if matching < records * 0.98:  # a client may leave a batch plain that does not shrink
        wrong.append(f"{topic}: only {matching} of {records} records are stored as {codec}")
    return some(wrong), f"{batches} batches, {matching} records as {codec}"


def committed(connection, group, prefix, codecs, partitions):
    """At the end the group's committed offsets are the end offsets."""
    wrong = []
    for codec in codecs:
        topic = scenario.topic(prefix, codec)
        ends, have = connection.offsets(topic, partitions), connection.committed(group, topic, partitions)
        if ends != have:
            wrong.append(f"{group}: {topic} committed {have}, ends {ends}")
    return some(wrong)


@dataclasses.dataclass
class Consumed:
    lost: list
    doubled: list
    corrupt: list
    misplaced: list
    members: list
    reread: int  # handed out twice, but before a commit covered them: allowed at least once
    reads: int
    repeated: int = 0  # refused commits that a client's library sent again for partitions that were no longer its own


class _Follower:
    """Follows one event file."""

    def __init__(self, records, partitions):
        self.records, self.partitions = records, partitions
        self.next = collections.defaultdict(int)       # (topic, partition) -> offset after the highest read
        self.safe = collections.defaultdict(int)       # (topic, partition) -> highest committed offset
        self.values = collections.defaultdict(set)     # codec -> record numbers seen
        self.by_member = collections.Counter()
        self.last_assigned, self.left = {}, set()
        self.result = Consumed([], [], [], [], [], 0, 0)

    def read(self, member, topic, partition, offset, key, value):
        r, place, offset = self.result, (topic, int(partition)), int(offset)
        r.reads += 1
        self.by_member[member] += 1
        where = f"{topic}-{partition}@{offset}"
        if member in self.left:
            r.members.append(f"{member} read {where} after it had left")
        if offset < self.safe[place]:
            r.doubled.append(f"{member} read {where} though {self.safe[place]} was committed")
        elif offset < self.next[place]:
            r.reread += 1
        elif offset > self.next[place]:
            r.lost.append(f"{member} read {where}, the next one was {self.next[place]}")
        self.next[place] = max(self.next[place], offset + 1)
        codec, _, rest = value.partition(":")
        digits = rest.partition(":")[0]
        number = int(digits) if digits.isdigit() else -1
        if not topic.endswith("-" + codec) or number < 0 or (key, value) != (
                scenario.key(number), scenario.value(codec, number)):
            r.corrupt.append(f"{where}: key {key!r}, value {value[:40]!r}")
            return
        self.values[codec].add(number)
        if scenario.partition_of(key, self.partitions) != place[1]:
            r.misplaced.append(f"{where}: key {key} belongs to {scenario.partition_of(key, self.partitions)}")

    def commit(self, member, topic, partition, offset):
        place, offset = (topic, int(partition)), int(offset)
        if offset > self.next[place]:
            self.result.lost.append(f"{member} committed {topic}-{partition}@{offset}, read up to {self.next[place]}")
        self.safe[place] = max(self.safe[place], offset)

    def repeat(self, topic, partition, offset):
        """The client's library sent a refused commit again after a rebalance took the partition from its member: the
        group's offset goes back to it, and what lies behind it may be read again."""
        place = (topic, int(partition))
        self.safe[place] = min(self.safe[place], int(offset))
        self.result.repeated += 1


def consumed(path, codecs, records, partitions):
    """Everything about one group's life; see Consumed."""
    follower = _Follower(records, partitions)
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            kind, *fields = line.rstrip("\n").split("\t")
            if kind == "R" and len(fields) == 6:
                follower.read(*fields)
            elif kind == "C" and len(fields) == 4:
                follower.commit(*fields)
            elif kind == "P" and len(fields) == 4:
                follower.repeat(*fields[1:])
            elif kind == "A" and len(fields) == 2:
                follower.last_assigned[fields[0]] = int(fields[1])
            elif kind == "L" and len(fields) == 1:
                follower.left.add(fields[0])
            else:
                follower.result.corrupt.append(f"event line not understood: {line[:80]!r}")
    return _close(follower, codecs, records, partitions)


def _close(follower, codecs, records, partitions):
    r = follower.result
    for codec in codecs:
        missing = set(range(records)) - follower.values[codec]
        if missing:
            r.lost.append(f"{codec}: {len(missing)} records never read, first {min(missing)}")
        places = [place for place in follower.next if place[0].endswith("-" + codec)]
        if sum(follower.next[place] for place in places) != records:
            r.lost.append(f"{codec}: positions add up to {sum(follower.next[p] for p in places)}, not {records}")
        for place in places:
            if follower.safe[place] != follower.next[place]:
                r.lost.append(f"{place[0]}-{place[1]}: read to {follower.next[place]}, committed {follower.safe[place]}")
    if len(follower.by_member) < 4:  # three of the group and the one that resumes
        r.members.append(f"only {sorted(follower.by_member)} read anything")
    for name in ("lost", "doubled", "corrupt", "misplaced", "members"):
        setattr(r, name, some(getattr(r, name)))
    return r
