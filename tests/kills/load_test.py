"""Goal: the judgement on the load finds each kind of wrong.
Method: records that are right are built in memory, then spoiled in one way per test.
"""

import os
import pathlib
import signal
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "peers"), os.path.join(HERE, "..", "interop", "driver")]

import load  # noqa: E402
from txn_judge import ABORT, COMMIT, Entry  # noqa: E402


class Feed(unittest.TestCase):
    def setUp(self):
        self.seen = {0: [], 1: []}
        for number in range(400):
            self.seen[number % 97 % 2].append((str(number % 97), f"{number}:xx"))

    def faults(self):
        return load.fed(self.seen, 400)

    def test_what_is_right_passes(self):
        self.assertEqual(self.faults(), [])

    def test_lost_in_the_middle(self):
        del self.seen[0][20]
        self.assertIn("after a gap", self.faults()[0])

    def test_lost_at_the_end(self):
        del self.seen[0][-1]
        self.assertEqual(self.faults(), ["400 records were acknowledged, 399 are there"])

    def test_twice(self):
        self.seen[1].insert(20, self.seen[1][20])
        self.assertIn("twice", self.faults()[0])

    def test_in_another_partition(self):
        self.seen[1].append(self.seen[0].pop())
        self.assertIn("is in partitions 0 and 1", self.faults()[0])


class Ledger(unittest.TestCase):
    def setUp(self):
        self.fates = {"0-0": ("committed", 2, {"0": [0, 0], "1": [1, 0]}), "0-1": ("aborted", 2, {}), "1-0": ("unknown", 2, {}),
                      "0-2": ("committed", 1, {"0": [0, 3]})}
        self.entries = [[self.entry(0, "0-0:0"), self.entry(1, "0-1:0", ABORT), self.entry(2, "1-0:0"), self.entry(3, "0-2:0")],
                        [self.entry(0, "0-0:1"), self.entry(1, "1-0:1"), self.entry(2, "0-1:1", ABORT)]]

    @staticmethod
    def entry(offset, value, fate=COMMIT):
        return Entry(offset, value.encode(), (1, 0), fate)

    def faults(self):
        return load.settled(self.fates, self.entries)

    def test_what_is_right_passes(self):
        self.assertEqual(self.faults(), [])

    def test_a_committed_record_is_lost(self):
        del self.entries[1][0]
        self.assertIn("transaction 0-0 is committed; of its 2 records 2 were acknowledged and 1 are visible", self.faults()[0])

    def test_a_committed_transaction_is_lost(self):
        del self.entries[0][3]
        self.assertIn("transaction 0-2 is committed", self.faults()[0])

    def test_a_record_is_not_where_it_was_acknowledged(self):
        self.entries[0][3].offset = 4
        self.assertIn("missing [(0, (0, 3))], too much [(0, (0, 4))]", self.faults()[0])

    def test_committed_though_not_all_was_acknowledged(self):
        del self.fates["0-0"][2]["1"]
        self.assertIn("transaction 0-0 is committed; of its 2 records 1 were acknowledged and 2 are visible", self.faults()[0])

    def test_an_aborted_record_is_visible(self):
        self.entries[1][2].fate = COMMIT
        self.assertIn("transaction 0-1 is aborted", self.faults()[0])

    def test_nobody_knows_but_half_of_it_is_there(self):
        self.entries[1][1].fate = ABORT
        self.assertIn("transaction 1-0 is unknown", self.faults()[0])

    def test_nobody_knows_and_nothing_is_there(self):
        self.entries[0][2].fate = self.entries[1][1].fate = ABORT
        self.assertEqual(self.faults(), [])

    def test_twice(self):
        self.entries[0].append(self.entry(4, "0-2:0"))
        self.assertIn("0-2:0 stands twice or out of order", self.faults())

    def test_in_two_partitions(self):
        self.entries[1].append(self.entry(4, "0-2:0"))
        self.assertIn("0-2:0 is in two partitions", self.faults())

    def test_in_another_order(self):
        self.entries[0].insert(0, self.entries[0].pop())
        self.assertIn("0-0:0 stands twice or out of order", self.faults())

    def test_never_begun(self):
        self.entries[0].append(self.entry(4, "2-0:0"))
        self.assertEqual(self.faults(), ["records of 2-0, which was never begun"])

    def test_the_last_that_was_written_down_counts(self):
        text = '["0-0", "unknown", 2, {}]\n["0-1", "unknown", 1, {}]\n["0-0", "committed", 2, {"0": [0, 4]}]\n["fault", "a"]\n'
        self.assertEqual(load.written_down(text), ({"0-0": ["committed", 2, {"0": [0, 4]}], "0-1": ["unknown", 1, {}]}, ["a"]))


class LedgersClient(unittest.TestCase):
    """What runs instead of Python writes down a life of the program, and ends it with the next of the signals, if there is one."""

    def ledger(self, *ends):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        signals, program = pathlib.Path(folder.name) / "signals", pathlib.Path(folder.name) / "program"
        signals.write_text("".join(f"{end}\n" for end in ends))
        program.write_text(f"""#!/bin/sh
            end=$(head -n 1 {signals}); sed -i 1d {signals}
            for file; do :; done
            echo '["fault", "a life"]' >> "$file"
            echo ready
            [ -z "$end" ] || kill -s "$end" $$
            cat > /dev/null""")
        program.chmod(0o755)
        ledger = load.Ledger(program, "broker", 1)
        self.addCleanup(ledger.end)
        return ledger

    def test_one_crash_is_told(self):
        ledger = self.ledger("ABRT")
        ledger.process.wait()
        ledger.check()
        self.assertEqual(ledger.told(), ({}, ["a life", "a life"]))
        self.assertEqual(ledger.crashes, 1)

    def test_a_crash_at_the_end_is_told(self):
        ledger = self.ledger("SEGV")
        self.assertEqual(ledger.told(), ({}, ["a life"]))
        self.assertEqual(ledger.crashes, 1)

    def test_a_second_crash_is_a_fault(self):
        ledger = self.ledger("ABRT", "ABRT")
        ledger.process.wait()
        ledger.check()
        ledger.process.wait()
        self.assertRaisesRegex(RuntimeError, "ended by itself with -6", ledger.check)
        self.assertRaisesRegex(RuntimeError, "ended with -6", ledger.told)

    def test_another_end_is_a_fault(self):
        ledger = self.ledger("KILL")
        ledger.process.wait()
        self.assertEqual(ledger.process.returncode, -signal.SIGKILL)
        self.assertRaisesRegex(RuntimeError, "ended by itself with -9", ledger.check)


if __name__ == "__main__":
    unittest.main()
