"""Goal: the bench's figures rest on bytes and sums that are right. Method: a batch is read back by the
interoperability suite's own reader; ratios, goals and tables of known samples; rounds of brokers that do nothing; this
process as /proc's example.

    python3 bench/lib/lib_test.py
"""

import json
import os
import pathlib
import shutil
import sys
import tempfile
import unittest
import xml.dom.minidom
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import calls  # noqa: E402
import case  # noqa: E402
import cases  # noqa: E402
import client  # noqa: E402
import disk  # noqa: E402
import goals  # noqa: E402
import harness  # noqa: E402
import pages  # noqa: E402
import peers  # noqa: E402
import proc  # noqa: E402
import results  # noqa: E402
import svg  # noqa: E402
import systems  # noqa: E402
import table  # noqa: E402
import users  # noqa: E402


class Batches(unittest.TestCase):
    def test_what_is_built_is_read_back(self):
        for count, size in ((1, 0), (1, 100), (64, 1024), (700, 100)):
            built = client.batch(count, size)
            self.assertEqual(list(client.wire.batches(built)), [(0, count - 1, "none", count, False, True)])
            self.assertGreaterEqual(len(built), 61 + count * (size + 6))

    def test_keys_are_read_back(self):
        (built,) = client.wire.decoded(client.batch(2, 5, keys=[b"a", b"key"]))
        self.assertEqual([(offset, key, len(value)) for offset, key, value in built.records], [(0, b"a", 5), (1, b"key", 5)])

    def test_the_checksum_covers_the_records(self):
        built = bytearray(client.batch(3, 10))
        built[-2] ^= 1
        self.assertFalse(list(client.wire.batches(bytes(built)))[0][5])

    def test_varints(self):
        for number, expected in ((0, b"\0"), (-1, b"\1"), (1, b"\2"), (63, b"\x7e"), (64, b"\x80\x01"), (1024, b"\x80\x10")):
            self.assertEqual(client.varint(number), expected)


class Goals(unittest.TestCase):
    more = case.Row("a.rate", "a", "MB/s", True)
    less = case.Row("a.cpu", "a", "s/GB")

    def test_a_ratio_is_of_the_rounds_and_has_a_range(self):
        found = goals.ratio([10, 20, 30], [10, 10, 10])
        self.assertEqual((found.middle, found.low, found.high), (2, 1, 3))
        self.assertEqual(goals.ratio([10, None], [5, 5]).middle, 2)
        self.assertIsNone(goals.ratio([], [1]))
        self.assertIsNone(goals.ratio([1], [0]))

    def test_more_is_met_from_above_and_less_from_below(self):
        for ours, met in ((99, False), (100, True)):
            self.assertEqual([v.met for v in goals.judge(self.more, {"tailwater": [ours], "kafka": [100]})], [met])
        for ours, met in ((46, False), (45, True)):
            self.assertEqual([v.met for v in goals.judge(self.less, {"tailwater": [ours], "kafka": [100]})], [met])

    def test_beside_another_system_the_ratio_of_the_rounds_counts(self):
        # The medians are 100 and 90, and in most rounds the other one was ahead.
        (found,) = goals.judge(self.more, {"tailwater": [100, 100, 100], "kafka": [90, 101, 102]})
        self.assertFalse(found.met)

    def test_nobody_is_asked_for_more_than_the_limit_allows(self):
        ours = {"tailwater": [60.0], "kafka": [100.0]}
        first, second = goals.judge(self.more, ours | {"limit": [70.0]})
        self.assertTrue(first.capped and first.met and second.met)
        self.assertTrue(first.by_limit and goals.is_behind(self.more, first) and not second.by_limit)
        (found, _) = goals.judge(self.more, {"tailwater": [120.0], "kafka": [100.0], "limit": [110.0]})
        self.assertTrue(found.capped and found.met and not found.by_limit)
        self.assertAlmostEqual(first.wanted, 59.5)
        (found,) = goals.judge(self.less, ours | {"limit": [50.0]})
        self.assertTrue(found.capped and found.met)
        (found,) = goals.judge(self.less, ours | {"limit": [10.0]})
        self.assertFalse(found.capped or found.met)

    def test_a_figure_of_its_own_has_its_unit_and_the_same_limit(self):
        row = case.Row("small-10.rate", "small", "MB/s", True)
        (found,) = goals.judge(row, {"tailwater": [490.0], "kafka": [100.0]})
        self.assertFalse(found.met)
        self.assertEqual(table.wanted(row, found), "at least 500 MB/s")
        (found,) = goals.judge(row, {"tailwater": [490.0], "limit": [560.0]})
        self.assertTrue(found.met and found.capped)
        self.assertEqual(table.wanted(row, found), "at least 500 MB/s, by the limit 476 MB/s")

    def test_more_partitions_may_cost_a_share(self):
        def result(name, rate):
            return {"systems": {"tailwater": {"title": "Tailwater"}}, "scenario": name, "commit": "c0ffee",
                    "samples": {"tailwater": [{f"{name}.rate": rate}]}}
        for rate, met in ((70, True), (69, False)):
            (found,) = pages.shares({"small-10": result("small-10", 100), "small-1000": result("small-1000", rate)})
            self.assertEqual(found[0], met)
        self.assertEqual(list(pages.shares({"small-1000": result("small-1000", 70)})), [])

    def test_what_was_not_measured_is_not_judged(self):
        self.assertEqual(list(goals.judge(self.more, {"tailwater": [1], "kafka": []})), [])
        self.assertEqual(list(goals.judge(self.more, {"tailwater": [], "kafka": [1]})), [])

    def test_goals_are_of_figures_that_exist(self):
        known = {row.key for found in cases.CASES.values() for row in found.rows}
        prefixes = {key.partition(".")[0] for key in known}
        self.assertEqual({key for key in goals.GOALS if key.partition(".")[0] in prefixes} - known, set())
        self.assertEqual({key for few, _, many in goals.SHARES for key in (few, many)} - known, set())


class Results(unittest.TestCase):
    def result(self):
        return {"format": results.FORMAT, "scenario": "a", "commit": "c0ffee", "smoke": False, "broken": [], "warnings": [],
                "systems": {"tailwater": {"title": "Tailwater"}, "kafka": {"title": "Kafka"}},
                "rows": [{"key": "a.rate", "title": "rate", "unit": "MB/s", "more_is_better": True}],
                "samples": {"tailwater": [{"a.rate": 300.00001}, {"a.rate": 100}], "kafka": [{"a.rate": 100}, {"a.rate": 100}]}}

    def test_a_table_has_medians_ratios_and_the_goal(self):
        row = table.lines(self.result())[2]
        self.assertEqual([cell.strip() for cell in row.strip("|").split("|")],
                         ["rate", "200 MB/s", "100 MB/s", "2.00x (1.00-3.00)", "at least 1x: met"])
        missing = self.result()
        missing["samples"]["kafka"] = "not run: no Java"
        self.assertEqual([cell.strip() for cell in table.lines(missing)[2].strip("|").split("|")],
                         ["rate", "200 MB/s", "not run", "", ""])

    def test_figures_are_read_by_people(self):
        for value, text in ((0, "0"), (5e-05, "0.000050"), (0.0123, "0.012"), (0.094, "0.094"), (0.5, "0.50"), (12.34, "12.3"), (123.4, "123"),
                            (12345, "12,345")):
            self.assertEqual(table.number(value), text)
        for gigabytes, text in ((6.04, "6.04 GB"), (1.0, "1.00 GB"), (0.0011, "1.10 MB"), (5e-05, "50.0 kB"), (1e-7, "100 B"), (0, "0 B")):
            self.assertEqual(table.volume(gigabytes), text)
        self.assertEqual(table.span(["50.0 kB", "50.0 kB"]), "50.0 kB")
        self.assertEqual(table.span(["1.10 MB", "1.30 MB"]), "1.10 to 1.30 MB")
        self.assertEqual(table.span(["900 kB", "1.30 MB"]), "900 kB to 1.30 MB")

    def test_a_ratio_and_its_range_have_one_form(self):
        for found, text in ((goals.Ratio(0.10, 0.09, 0.11), "0.10x (0.090-0.11)"), (goals.Ratio(0.0625, 0.04, 0.11), "1/16.0x (1/25.0-1/9.09)"),
                            (goals.Ratio(0.02, 0, 0.025), "1/50.0x (0-1/40.0)"), (goals.Ratio(2, 1.999, 2.001), "2.00x")):
            self.assertEqual(table.ratio(found), text)

    def test_a_page_says_what_a_sample_moved(self):
        result = self.result()
        result["samples"] = {"tailwater": [{"a.gb": 0.0011}, {"a.gb": 0.0013}], "kafka": [{"a.gb": 5e-05}, {"a.gb": 5e-05}]}
        self.assertEqual(pages.taken(result), " A sample moved: Tailwater 1.10 to 1.30 MB; Kafka 50.0 kB.")

    def test_what_is_written_is_read_back(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertIsNone(results.read(folder, "a"))
            results.write(folder, self.result())
            found = results.read(folder, "a")
            self.assertEqual(found["samples"]["kafka"], self.result()["samples"]["kafka"])
            self.assertEqual(results.column(found, "tailwater", "a.rate"), [300, 100])
            self.assertEqual(os.listdir(folder), ["a.json"])

    def test_what_is_whole_counts_before_what_is_new(self):
        whole, newer = self.result() | {"when": "1"}, self.result() | {"when": "2"}
        self.assertIs(max(whole, newer, key=results.weight), newer)
        self.assertIs(max(whole, newer | {"less": ["without Kafka, fsync"]}, key=results.weight)["when"], newer["when"])
        for less in ({"less": ["2 rounds instead of 5"]}, {"warnings": ["a trial"]}, {"broken": ["kafka"]}):
            self.assertIs(max(whole, newer | less, key=results.weight), whole)

    def test_a_result_stands_for_its_commit_only(self):
        found = self.result()
        self.assertTrue(results.stands(found, "c0ffee", False))
        self.assertFalse(results.stands(found, "c0ffee+", False))
        self.assertFalse(results.stands(found, "decade", False))
        self.assertFalse(results.stands(found, "c0ffee", True))
        for doubt in ("broken", "warnings", "less"):
            self.assertFalse(results.stands(found | {doubt: ["kafka"]}, "c0ffee", False))
        self.assertFalse(results.stands(None, "c0ffee", False))


class Users(unittest.TestCase):
    def test_the_steady_state_is_what_counts(self):
        printed = ("300 records sent, 206.8 records/sec (20.14 MB/sec), 1.35 ms avg latency, 22.00 ms max latency, 11 ms 50th, 12 ms 95th, "
                   "13 ms 99th, 14 ms 99.9th.\n200 steady state records sent, 257.9 records/sec (25.16 MB/sec), 1.75 ms avg latency, "
                   "17.00 ms max latency, 1 ms 50th, 2 ms 95th, 3 ms 99th, 4 ms 99.9th.\n")
        self.assertEqual(users.SENT.findall(printed)[-1], ("200", "257.9", "1", "3", "4"))


class Pages(unittest.TestCase):
    """The page of results that a run would leave."""

    def made(self, names):
        found = {}
        for name in names:
            keys = [row.key for row in cases.CASES[name].rows]
            turns = mock.Mock(began=0, when=results.now(), broken=[], sizes=case.Sizes(), case=cases.CASES[name], load=proc.Load(),
                              samples={"tailwater": [{key: 2.0 for key in keys}], "kafka": [{key: 6.0 for key in keys}]} |
                              ({"kafka-fsync": "not run: no Java"} if "kafka-fsync" in cases.CASES[name].systems else {}), warnings=lambda: ["busy & <warm>"], less=lambda: [])
            turns.cut, turns.harness = None, mock.Mock(page_cache_mib=1, commit="c0ffee", machine=results.machine("/"), versions={"kafka": "4.4.0"})
            found[name] = harness.Turns.result(turns)
        with tempfile.TemporaryDirectory() as docs:
            docs = pathlib.Path(docs)
            shutil.copy(peers.REPOSITORY / "docs" / "performance.md", docs)
            pages.write(found, docs)
            pages.write(found, docs)  # what it wrote it finds again
            written = {file.name: file.read_text(encoding="utf-8") for file in docs.rglob("*.*")}
        return written

    def test_every_plot_is_well_formed_and_every_table_there(self):
        written = self.made(["a", "a16", "b", "latency", "peers-a", "small-10", "small-1000", "large-1"])
        for name in ("overview.svg", "latency.svg", "partitions.svg", "cpu.svg", "peers.svg"):
            xml.dom.minidom.parseString(written[name])
            self.assertEqual(written["performance.md"].count(f"](performance/{name})"), 1)
        self.assertIn("| 2.00 MB/s", written["performance.md"])
        self.assertIn("| a | CPU of the broker | 2.00 s/GB | 6.00 s/GB | 0.33x | at most 0.45x | yes |", written["performance.md"])
        self.assertIn("Kafka, fsync: not run: no Java.", written["performance.md"])
        self.assertIn("These are trials, not results, as their sections below say: a, a16,", written["performance.md"])
        self.assertIn("### a: 256 KiB", written["performance.md"])
        self.assertRegex(written["performance.md"], "Not measured yet: start, .*, d, ")
        self.assertEqual(json.loads(written["a.json"])["commit"], "c0ffee")

    def test_no_results_make_no_figures(self):
        written = self.made([])
        self.assertEqual([name for name in written if name.endswith((".svg", ".json"))], [])
        self.assertIn("Not measured yet.", written["performance.md"])


class Plots(unittest.TestCase):
    def test_scales_have_round_limits(self):
        self.assertEqual(svg.span([3, 180], False), (0, 200))
        self.assertEqual(svg.span([0.3, 180], True), (0.2, 200))

    def test_a_scale_ends_where_it_should(self):
        for log in (False, True):
            scale = svg.Scale(1, 100, 10, 110, log)
            self.assertAlmostEqual(scale(1), 10)
            self.assertAlmostEqual(scale(100), 110)
        self.assertAlmostEqual(svg.Scale(1, 100, 0, 100, True)(10), 50)


class Machines:
    """A broker that lives nowhere, for the turns."""

    def __init__(self, *_):
        self.stop = lambda: None

    @staticmethod
    def absent(may_install):
        return None


class Rounds(unittest.TestCase):
    def run_case(self, sample, **words):
        found = case.Case("x", "x", [case.Row("x.n", "n", "ms")], sample, rounds=3, client="none")
        known = {name: systems.System(name, name, type(name, (Machines,), {}), "") for name in case.PAIR}
        with tempfile.TemporaryDirectory() as parent, mock.patch.object(harness, "SYSTEMS", known), \
                mock.patch("disk.require"), mock.patch("os.sync"), mock.patch.object(harness, "note"):
            return harness.Harness("none", case.Sizes(), peers.Folders(parent), **words).run(found)

    def test_systems_take_turns_and_change_who_is_first(self):
        order = []

        def sample(broker, _sizes, _load):
            order.append(type(broker).__name__)
            return {"x.n": len(order)}
        result = self.run_case(sample)
        self.assertEqual(order, ["tailwater", "kafka", "kafka", "tailwater", "tailwater", "kafka"])
        self.assertEqual(results.column(result, "kafka", "x.n"), [2, 3, 6])
        self.assertEqual((result["rounds"], result["broken"], result["less"]), (3, [], []))

    def test_a_result_says_what_was_left_out(self):
        result = self.run_case(lambda *_: {"x.n": 1}, rounds=2, without=["kafka"])
        self.assertEqual(result["less"], ["2 rounds instead of 3", "without kafka"])

    def test_what_broke_once_is_said_and_not_tried_again(self):
        def sample(broker, _sizes, _load):
            if type(broker).__name__ == "kafka":
                raise peers.Broke("no")
            return {"x.n": 1}
        result = self.run_case(sample)
        self.assertEqual(len(result["broken"]), 1)
        self.assertIn("broke", result["samples"]["kafka"])
        self.assertEqual(results.column(result, "tailwater", "x.n"), [1, 1, 1])


    def test_a_bad_end_of_one_that_stood_through_is_said_and_the_result_kept(self):
        def stop():
            raise peers.Broke("did not stop")
        found = case.Case("x", "x", [case.Row("x.n", "n", "ms")], lambda *_: {"x.n": 1}, ("tailwater",), rounds=2, stays_up=True)
        known = {"tailwater": systems.System("tailwater", "tailwater", type("Stuck", (Machines,), {"__init__": lambda self, *_: setattr(self, "stop", stop)}), "")}
        with tempfile.TemporaryDirectory() as parent, mock.patch.object(harness, "SYSTEMS", known), \
                mock.patch("disk.require"), mock.patch("os.sync"), mock.patch.object(harness, "note"):
            result = harness.Harness("none", case.Sizes(), peers.Folders(parent)).run(found)
        self.assertIn("did not stop", result["broken"][0])
        self.assertEqual(result["rounds"], 2)


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


class Calls(unittest.TestCase):
    text = ("# TYPE tailwater_system_calls_total counter\n"
            'tailwater_system_calls_total{shard="0",call="recv"} %d\ntailwater_system_calls_total{shard="1",call="recv"} 5\n'
            'tailwater_system_calls_total{shard="0",call="epoll_wait"} %d\n'
            'tailwater_requests_total{api="Fetch"} %d\ntailwater_request_bytes_total{api="Fetch"} 1000\ntailwater_groups 7\n')

    def test_they_are_of_the_requests_in_between(self):
        before, after = (calls.read(self.text % counts) for counts in ((10, 3, 100), (210, 103, 300)))
        self.assertEqual(before, ({"recv": 15, "epoll_wait": 3}, 100))
        self.assertEqual(calls.between(before, after), {"calls": 1.5, "calls.recv": 1, "calls.epoll_wait": 0.5})

    def test_the_memory_of_records_is_summed(self):
        text = ('# TYPE tailwater_cache_bytes gauge\ntailwater_cache_bytes{kind="cold"} 1048576\n'
                'tailwater_cache_bytes{kind="recent"} 2097152\n')
        self.assertEqual(calls.cached_mib(text), 3)
        self.assertEqual(calls.cached_mib(None), 0)

    def test_who_does_not_count_or_was_not_asked_has_no_figure(self):
        self.assertEqual(calls.between(None, None), {})
        before = calls.read(self.text % (10, 3, 100))
        self.assertEqual(calls.between(before, before), {})
        self.assertIsNone(calls.look(mock.Mock(admin_port=None)))


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

    def test_one_disturbed_sample_shows(self):
        load = proc.Load()
        load.add(1, proc.CORES, 0)  # too short to say anything
        for others in (0, 4, 0):
            load.add(10, 9 + others * proc.CORES, 9)
        self.assertAlmostEqual(load.most, 0.4)

    def test_a_thread_of_the_kernel_that_ends_takes_no_account_along(self):
        before = {("7", "1"): 50.0, ("8", "1"): 1.0, ("9", "1"): 3.0}
        after = {("8", "1"): 1.5, ("9", "4"): 0.25}  # 7 has ended; 9 is another one by now
        self.assertAlmostEqual(proc.between(before, after), 0.75)

    def test_who_has_ended_is_not_alive(self):
        self.assertTrue(proc.is_alive(os.getpid()))
        child = os.fork()
        if child == 0:
            os._exit(0)
        while proc.is_alive(child):
            pass
        os.waitpid(child, 0)
        self.assertFalse(proc.is_alive(child))


if __name__ == "__main__":
    unittest.main()
