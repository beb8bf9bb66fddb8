"""Goal: the bench's figures rest on bytes and sums that are right. Method: a batch is read back by the
interoperability suite's own reader; medians, bests and ratios of known samples; this process as /proc's example.

    python3 bench/lib/lib_test.py
"""

import os
import pathlib
import sys
import unittest
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cases  # noqa: E402
import client  # noqa: E402
import disk  # noqa: E402
import proc  # noqa: E402
import table  # noqa: E402


class Batches(unittest.TestCase):
    def test_what_is_built_is_read_back(self):
        for count, size in ((1, 0), (1, 100), (64, 1024), (700, 100)):
            built = client.batch(count, size)
            self.assertEqual(list(client.wire.batches(built)), [(0, count - 1, "none", count, False, True)])
            self.assertGreaterEqual(len(built), 61 + count * (size + 6))

    def test_the_checksum_covers_the_records(self):
        built = bytearray(client.batch(3, 10))
        built[-2] ^= 1
        self.assertFalse(list(client.wire.batches(bytes(built)))[0][5])

    def test_varints(self):
        for number, expected in ((0, b"\0"), (-1, b"\1"), (1, b"\2"), (63, b"\x7e"), (64, b"\x80\x01"), (1024, b"\x80\x10")):
            self.assertEqual(client.varint(number), expected)


class Tables(unittest.TestCase):
    less = cases.Row("a", "a", "ms")
    more = cases.Row("b", "b", "MB/s", more_is_better=True)

    def test_best_depends_on_the_row(self):
        self.assertEqual(table.cell([30, 10, 20], self.less), "20.0 (10.0) ms")
        self.assertEqual(table.cell([30, 10, 20], self.more), "20.0 (30.0) MB/s")

    def test_above_one_means_better(self):
        self.assertEqual(table.ratio([10], [30], self.less), "3.0x")
        self.assertEqual(table.ratio([10], [30], self.more), "0.3x")

    def test_no_ratio_without_both(self):
        for ours, theirs in (([1], "not run"), ("broke", [1]), ([], [1]), ([0.0], [1])):
            self.assertEqual(table.ratio(ours, theirs, self.less), "-")

    def test_a_row_compares_the_same_figure_of_both(self):
        case = next(case for case in cases.CASES if case.compared == 0)
        key = case.rows[0].key
        columns = {("Tailwater", 0): {key: [10.0], "other": [1.0]}, ("Kafka", 0): {key: [30.0]}}
        row = table.lines([(case, columns)], cases.Sizes())[2]
        self.assertIn("3.0x" if not case.rows[0].more_is_better else "0.3x", row)
        self.assertIn("not run", table.lines([(case, {("Tailwater", 0): {key: [10.0]}})], cases.Sizes())[2])


class Disks(unittest.TestCase):
    def test_a_topic_is_held_at_its_bound(self):
        for partitions in (1, 6, 100, 1000):
            share = int(disk.bounds(partitions)["log.retention.bytes"])
            self.assertLessEqual(share, disk.LARGEST_SEGMENT)
            self.assertLessEqual(share * partitions, max(disk.HELD, partitions * disk.LEAST_PARTITION))

    def test_a_run_ends_when_the_disk_fills_up(self):
        ended = []
        with self.assertRaises(disk.Full), mock.patch("shutil.disk_usage", side_effect=[mock.Mock(free=2), mock.Mock(free=0)]):
            with disk.guarded("/", lambda: ended.append(True), 1):
                while not ended:
                    pass
        with self.assertRaises(disk.Full), mock.patch("shutil.disk_usage", return_value=mock.Mock(free=0)):
            with disk.guarded("/", lambda: None, 1):
                self.fail("the body ran")


class Processes(unittest.TestCase):
    def test_own_tree(self):
        self.assertIn(os.getpid(), proc.tree(os.getppid()))
        self.assertGreater(proc.resident_mib(os.getpid()), 1)

    def test_own_work_is_not_foreign(self):
        load = proc.Load()
        load.elapsed, load.busy, load.own = 10.0, 9.0, 9.0
        self.assertEqual(load.foreign(), 0)
        load.own = 9.0 - 2 * proc.CORES
        self.assertAlmostEqual(load.foreign(), 0.2)


if __name__ == "__main__":
    unittest.main()
