"""Goal: the judge of transactions finds each kind of wrong.
Method: a right pair of logs and a right event file are built in memory, then spoiled in one way per test.
"""

import os
import struct
import tempfile
import unittest

import txn_judge
import wire
from scenario import Txn

ABORT, COMMIT = 0, 1


class Log:
    """Batches of one partition, written as a broker would."""

    def __init__(self, name):
        self.name, self.batches, self.end, self.aborted, self.open = name, [], 0, set(), {}

    def put(self, producer, *values, transactional=True):
        records = [(self.end + i, None, value.encode()) for i, value in enumerate(values)]
        self.batches.append(wire.Batch(self.end, self.end + len(values) - 1, producer, transactional, False, records))
        self.open.setdefault(producer[0], self.end)
        self.end += len(values)

    def mark(self, producer, kind):
        self.batches.append(wire.Batch(self.end, self.end, producer, True, True, [(self.end, struct.pack(">hh", 0, kind), b"")]))
        first = self.open.pop(producer[0], None)
        if kind == ABORT and first is not None:
            self.aborted.add((producer[0], first))
        self.end += 1

    def partition(self):
        return txn_judge.Partition(self.name, self.batches, self.end, self.end, self.aborted)


def right_source():
    logs = [Log(f"in-{p}") for p in range(Txn.PARTITIONS)]
    for number, fate in Txn.PLAN.items():
        if number == Txn.LAST:
            continue
        producer = (number % 2, number)
        for p, one in enumerate(logs):
            one.put(producer, *[v for where, v in Txn.values(number) if where == p])
            one.mark(producer, COMMIT if fate == "commit" else ABORT)
    return logs


def right_target(source):
    """As the transform leaves it: each source record tried once in vain, then committed."""
    logs = [Log(f"out-{p}") for p in range(Txn.PARTITIONS)]
    for p, one in enumerate(logs):
        values = [Txn.transformed(e.value) for e in txn_judge.follow(source[p].partition())[0] if e.fate == "commit"]
        one.put((7, 0), *values)
        one.mark((7, 0), ABORT)
        one.put((7, 0), *values)
        one.mark((7, 0), COMMIT)
        one.put((7, 0), *[v for where, v in Txn.values(Txn.LAST) if where == p])
        one.mark((7, 0), COMMIT)
    return logs


def followed(logs):
    return [txn_judge.follow(one.partition())[0] for one in logs]


def right_reads(topic, entries):
    return {(isolation, topic, p): [(e.offset, e.value) for e in mine if isolation == "uncommitted" or e.fate == "commit"]
            for p, mine in enumerate(entries) for isolation in ("committed", "uncommitted")}


class Follow(unittest.TestCase):
    def setUp(self):
        self.log = Log("t-0")
        self.log.put((1, 0), "a", "b")
        self.log.put((2, 0), "c")
        self.log.mark((1, 0), ABORT)
        self.log.mark((2, 0), COMMIT)

    def complaint(self, **spoiled):
        partition = self.log.partition()
        for name, value in spoiled.items():
            setattr(partition, name, value)
        return "; ".join(txn_judge.follow(partition)[1])

    def test_a_record_has_the_fate_of_its_producer_s_next_marker(self):
        entries, wrong = txn_judge.follow(self.log.partition())
        self.assertEqual([(e.value, e.fate) for e in entries], [("a", "abort"), ("b", "abort"), ("c", "commit")])
        self.assertEqual(wrong, [])

    def test_a_transaction_that_hangs(self):
        self.log.put((3, 0), "d")
        self.assertIn("nothing ended the transaction of producer 3 at 5", self.complaint())

    def test_a_gap_in_the_log(self):
        del self.log.batches[1]
        self.assertIn("batch 3 after 2", self.complaint())

    def test_an_end_that_is_not_readable(self):
        self.assertIn("readable to 5, its end is 6", self.complaint(end=6, stable=6))

    def test_a_stable_offset_that_stays_behind(self):
        self.assertIn("the last stable offset is 3", self.complaint(stable=3))

    def test_an_aborted_transaction_that_readers_are_not_told(self):
        self.assertIn("readers are told []", self.complaint(aborted=set()))

    def test_a_committed_transaction_that_readers_are_told_is_aborted(self):
        self.assertIn("readers are told", self.complaint(aborted={(1, 0), (2, 2)}))

    def test_a_record_outside_any_transaction(self):
        self.log.put((-1, -1), "x", transactional=False)
        self.log.mark((-1, -1), COMMIT)
        self.assertIn("batch 5 is not transactional", self.complaint())


class Planned(unittest.TestCase):
    def setUp(self):
        self.entries, self.ends = followed(right_source()), list(Txn.PLAN.items())

    def complaint(self):
        return "; ".join(txn_judge.planned(self.entries, self.ends))

    def test_right(self):
        self.assertEqual(self.complaint(), "")

    def test_an_end_that_was_not_told(self):
        self.ends.remove((Txn.FENCED, "fenced"))
        self.assertIn("ends not told: [(40, 'fenced')]", self.complaint())

    def test_an_end_told_otherwise_than_planned(self):
        self.ends[0] = (0, "abort")
        self.assertIn("told though not planned: [(0, 'abort')]", self.complaint())

    def test_an_end_told_twice(self):
        self.ends.append((0, "commit"))
        self.assertIn("told though not planned: [(0, 'commit')]", self.complaint())

    def test_a_lost_record(self):
        del self.entries[1][0]
        self.assertIn("transaction 0, partition 1", self.complaint())

    def test_a_record_twice(self):
        self.entries[1].insert(1, self.entries[1][0])
        self.assertIn("transaction 0, partition 1", self.complaint())

    def test_records_in_another_order(self):
        mine = self.entries[2]
        mine[0], mine[1] = mine[1], mine[0]
        self.assertIn("transaction 0, partition 2", self.complaint())

    def test_a_committed_transaction_torn_in_one_partition(self):
        for entry in self.entries[0]:
            if entry.value.startswith("2:"):
                entry.fate = "abort"
        self.assertIn("transaction 2, partition 0", self.complaint())

    def test_a_fenced_transaction_that_was_committed(self):
        for mine in self.entries:
            for entry in mine:
                if entry.value.startswith(f"{Txn.FENCED}:"):
                    entry.fate = "commit"
        self.assertIn(f"transaction {Txn.FENCED}", self.complaint())

    def test_records_of_nobody(self):
        self.entries[0].append(txn_judge.Entry(999, b"99:0", (9, 9), "commit"))
        self.assertIn("'99', which is not planned", self.complaint())


class Transformed(unittest.TestCase):
    def setUp(self):
        source = right_source()
        self.source, self.target = followed(source), followed(right_target(source))
        self.committed = [one.end for one in source]

    def complaint(self):
        return "; ".join(txn_judge.transformed(self.source, self.target, self.committed))

    def test_right(self):
        self.assertEqual(self.complaint(), "")

    def first_good(self):
        return next(i for i, e in enumerate(self.target[0]) if e.fate == "commit")

    def test_a_record_twice(self):
        at = self.first_good()
        self.target[0].insert(at, self.target[0][at])
        self.assertIn("twice ['out:0:0']", self.complaint())

    def test_a_lost_record(self):
        del self.target[0][self.first_good()]
        self.assertIn("lost ['out:0:0']", self.complaint())

    def test_another_order(self):
        at, mine = self.first_good(), self.target[0]
        mine[at], mine[at + 1] = mine[at + 1], mine[at]
        self.assertIn("partition 0", self.complaint())

    def test_an_aborted_record_that_was_transformed(self):
        at = self.first_good()
        self.target[0].insert(at, txn_judge.Entry(0, b"out:1:0", (7, 0), "commit"))
        self.assertIn("not planned ['out:1:0']", self.complaint())

    def test_offsets_that_stay_behind(self):
        self.committed[2] = self.source[2][-1].offset
        self.assertIn("partition 2: committed", self.complaint())

    def test_a_transform_without_an_abort_shows_nothing(self):
        self.target = [[e for e in mine if e.fate == "commit"] for mine in self.target]
        self.assertIn("shows nothing", self.complaint())


class Read(unittest.TestCase):
    def setUp(self):
        self.entries = followed(right_source())
        self.reads = right_reads("in", self.entries)

    def complaint(self):
        return "; ".join(txn_judge.read("in", self.entries, self.reads))

    def test_right(self):
        self.assertEqual(self.complaint(), "")

    def test_an_aborted_record_shown_to_a_reader_of_committed_ones(self):
        self.reads[("committed", "in", 0)] = self.reads[("uncommitted", "in", 0)]
        self.assertIn("in-0, committed", self.complaint())

    def test_a_reader_of_all_that_misses_the_aborted_ones(self):
        self.reads[("uncommitted", "in", 0)] = self.reads[("committed", "in", 0)]
        self.assertIn("in-0, uncommitted", self.complaint())

    def test_a_lost_read(self):
        self.reads[("committed", "in", 1)].pop()
        self.assertIn("in-1, committed", self.complaint())

    def test_a_read_twice(self):
        self.reads[("committed", "in", 1)].insert(0, self.reads[("committed", "in", 1)][0])
        self.assertIn("in-1, committed", self.complaint())

    def test_a_reader_that_never_ran(self):
        del self.reads[("committed", "in", 2)]
        self.assertIn("in-2, committed: 0 records", self.complaint())


class Counted(unittest.TestCase):
    def setUp(self):
        self.lines = [[txn_judge.Entry(0, b"a b a", (-1, -1))], [txn_judge.Entry(0, b"b c", (-1, -1))]]
        counts = [("a", 1, "abort"), ("a", 1, "commit"), ("b", 1, "commit"), ("c", 1, "commit"), ("a", 2, "commit"), ("b", 2, "commit")]
        self.counts = [[txn_judge.Entry(i, struct.pack(">q", count), (7, 0), fate, word.encode())
                        for i, (word, count, fate) in enumerate(counts)]]

    def complaint(self):
        return "; ".join(txn_judge.counted(self.lines, self.counts))

    def test_right(self):
        self.assertEqual(self.complaint(), "")

    def test_a_count_twice(self):
        self.counts[0].append(self.counts[0][-1])
        self.assertIn("b: 3 counts of 2; number 3 is [2]", self.complaint())

    def test_a_lost_count(self):
        del self.counts[0][-1]
        self.assertIn("b: 1 counts of 2; number 2 is []", self.complaint())

    def test_a_line_counted_twice(self):
        self.counts[0].append(txn_judge.Entry(9, struct.pack(">q", 2), (7, 0), "commit", b"c"))
        self.assertIn("c: 2 counts of 1", self.complaint())

    def test_a_committed_count_of_an_aborted_attempt(self):
        self.counts[0][0].fate = "commit"
        self.assertIn("a: 3 counts of 2; number 2 is [1]", self.complaint())

    def test_a_word_of_nobody(self):
        self.counts[0][3].key = b"z"
        self.assertIn("z: 1 counts of 0", self.complaint())

    def test_kills_between_transactions_show_nothing(self):
        del self.counts[0][0]
        self.assertIn("show nothing", self.complaint())


class Protocol(unittest.TestCase):
    def seen(self, epoch):
        return txn_judge.protocol([[txn_judge.Entry(0, value.encode(), epoch(number, i))
                                    for number in range(Txn.ENDS) for i, (_, value) in enumerate(Txn.values(number))]])

    def test_an_epoch_per_transaction_is_v2(self):
        self.assertEqual(self.seen(lambda number, _: (number % 2, number)), "v2")

    def test_an_epoch_that_stays_is_v1(self):
        self.assertEqual(self.seen(lambda number, _: (number % 2, 0)), "v1")

    def test_what_is_neither_is_told(self):
        self.assertIn("epochs in", self.seen(lambda number, _: (number % 2, number // 4)))
        self.assertIn("within a transaction", self.seen(lambda number, i: (number % 2, i)))


class Files(unittest.TestCase):
    def test_events_and_noise(self):
        with tempfile.NamedTemporaryFile("w", suffix=".tsv", delete=False) as file:
            file.write("E\t3\tcommit\nR\tcommitted\tin\t0\t7\t3:0\nR\tcommitted\nE\tx\ty\nZ\n")
        try:
            found = txn_judge.events(file.name)
        finally:
            os.unlink(file.name)
        self.assertEqual((found.ends, dict(found.reads)), ([(3, "commit")], {("committed", "in", 0): [(7, "3:0")]}))
        self.assertEqual(len(found.noise), 3)

    def test_a_decoded_batch(self):
        body = bytes([0, 0, 0]) + b"\x01" + bytes([2]) + b"v" + bytes([0])  # attributes, timestamp, delta, no key, value, no headers
        record = bytes([2 * len(body)]) + body
        tail = struct.pack(">hiqqqhii", 16, 0, 0, 0, 9, 3, 0, 1) + record
        head = struct.pack(">qiibI", 5, 9 + len(tail), 0, 2, wire.crc32c(tail))
        batch = next(wire.decoded(head + tail))
        self.assertEqual((batch.base, batch.last, batch.producer, batch.transactional, batch.control), (5, 5, (9, 3), True, False))
        self.assertEqual(batch.records, [(5, None, b"v")])
        with self.assertRaises(wire.WireError):
            list(wire.decoded(head + tail[:-2] + b"w" + tail[-1:]))


if __name__ == "__main__":
    unittest.main()
