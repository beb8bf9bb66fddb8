"""Goal: the judge finds each kind of wrong; a suite that cannot fail is worth nothing.
Method: a right event file of 40 records is written, then spoiled in one way per test.
Run: python3 -m unittest discover -s tests/interop/driver -p '*_test.py'
"""

import os
import tempfile
import unittest

import judge
import scenario
import wire

RECORDS, PARTITIONS, TOPIC = 40, 6, "t-gzip"


def right_lines():
    """Members a, b, c, d read one after the other and commit every read."""
    at, lines = [0] * PARTITIONS, []
    for i in range(RECORDS):
        partition = scenario.partition_of(scenario.key(i), PARTITIONS)
        member = "abcd"[i * 4 // RECORDS]
        lines.append(f"R\t{member}\t{TOPIC}\t{partition}\t{at[partition]}\t{scenario.key(i)}\t{scenario.value('gzip', i)}")
        at[partition] += 1
        lines.append(f"C\t{member}\t{TOPIC}\t{partition}\t{at[partition]}")
    return lines


def judged(lines):
    with tempfile.NamedTemporaryFile("w", suffix=".tsv", delete=False) as file:
        file.write("".join(line + "\n" for line in lines))
    try:
        return judge.consumed(file.name, ["gzip"], RECORDS, PARTITIONS)
    finally:
        os.unlink(file.name)


class Judge(unittest.TestCase):
    def assert_only(self, result, *kinds):
        for kind in ("lost", "doubled", "corrupt", "misplaced", "members"):
            self.assertEqual(bool(getattr(result, kind)), kind in kinds, f"{kind}: {getattr(result, kind)}")

    def test_right(self):
        result = judged(right_lines())
        self.assert_only(result)
        self.assertEqual((result.reads, result.reread), (RECORDS, 0))

    def test_a_read_after_its_commit_is_doubled(self):
        lines = right_lines()
        self.assert_only(judged(lines[:2] + [lines[0]] + lines[2:]), "doubled")

    def test_after_a_repeated_commit_only_what_lies_behind_it_may_come_again(self):
        lines = right_lines()
        _, member, topic, partition, *_ = lines[0].split("\t")
        result = judged(lines[:2] + [f"P\t{member}\t{topic}\t{partition}\t0"] + lines)
        self.assert_only(result)
        self.assertEqual((result.reread, result.repeated), (1, 1))
        self.assert_only(judged(lines[:2] + [f"P\t{member}\t{topic}\t{partition}\t1"] + lines), "doubled")

    def test_a_read_before_any_commit_may_come_again(self):
        lines = right_lines()
        result = judged([lines[0]] + lines)
        self.assert_only(result)
        self.assertEqual(result.reread, 1)

    def test_a_skipped_record_is_lost(self):
        lines = right_lines()
        self.assert_only(judged(lines[2:]), "lost")

    def test_an_uncommitted_end_is_lost(self):
        self.assert_only(judged(right_lines()[:-1]), "lost")

    def test_a_commit_past_the_reads_is_lost(self):
        lines = right_lines()
        self.assert_only(judged([lines[1]] + lines), "lost", "doubled")

    def test_a_changed_value_is_corrupt(self):
        lines = right_lines()
        self.assert_only(judged([lines[0] + "!"] + lines[1:]), "corrupt", "lost")

    def test_a_wrong_partition_is_misplaced(self):
        moved = []
        for line in right_lines():
            fields = line.split("\t")
            fields[3] = str((int(fields[3]) + 1) % PARTITIONS)
            moved.append("\t".join(fields))
        self.assert_only(judged(moved), "misplaced")

    def test_a_member_that_never_reads_is_told(self):
        self.assert_only(judged([line.replace("\tc\t", "\tb\t") for line in right_lines()]), "members")

    def test_a_read_after_leaving_is_told(self):
        lines = right_lines()
        self.assert_only(judged(["L\ta"] + lines), "members")

    def test_noise_is_not_passed_over(self):
        self.assert_only(judged(right_lines() + ["R\ta"]), "corrupt")


class Wire(unittest.TestCase):
    def test_crc32c_check_value(self):
        self.assertEqual(wire.crc32c(b"123456789"), 0xE3069283)

    def test_a_cut_batch_is_left_out(self):
        self.assertEqual(list(wire.batches(bytes(60))), [])

    def test_murmur2_has_java_s_values(self):
        for text, hashed in (("21", -973932308), ("foobar", -790332482), ("abc", 479470107),
                             ("a-little-bit-long-string", -985981536)):
            self.assertEqual(scenario.murmur2(text.encode()), hashed & 0xFFFFFFFF)


if __name__ == "__main__":
    unittest.main()
