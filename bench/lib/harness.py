"""Runs one scenario: its systems in turns, round by round, and what came of it as a result. A scenario takes at most
LIMIT_S: no round begins that would probably end later, and the result says how many there were.
"""

import contextlib
import os
import struct
import subprocess
import sys
import time

import client
import disk
import goals
import peers
import proc
import results
import table
from case import Sizes
from systems import SYSTEMS

LIMIT_S = 600
SMOKE_BUDGET_S = 60  # past it a smoke run starts nothing of others any more
FOREIGN_LIMIT = 0.05
FOREIGN_MOST = 0.15  # of one sample
LEFT_OUT = "left out (--without)"
BROKEN = (OSError, struct.error, peers.Broke, client.wire.WireError, subprocess.SubprocessError)


def note(text):
    print(text, file=sys.stderr, flush=True)


class Harness:
    """What is the same for all scenarios of one call."""

    def __init__(self, program, sizes, folders, rounds=None, without=()):
        self.program, self.sizes, self.folders, self.rounds = program, sizes, folders, rounds
        self.begin, self.page_cache_mib = time.monotonic(), 0
        self.absent = dict.fromkeys(without, LEFT_OUT)
        self.commit, self.machine, self.versions = results.commit(), results.machine(folders.root), results.versions()

    def absence(self, name):
        """None, or why that system cannot take part."""
        if SYSTEMS[name].ours and name not in self.absent:
            return None
        if self.sizes.smoke and time.monotonic() - self.begin > SMOKE_BUDGET_S:
            return "no time left in a smoke run"
        if name not in self.absent:
            self.absent[name] = SYSTEMS[name].kind.absent(may_install=not self.sizes.smoke)
        return self.absent[name]

    def run(self, case):
        """The result, as it goes into the file."""
        disk.require(self.folders.root)
        turns = Turns(self, case)
        try:
            with contextlib.ExitStack() as turns.standing:
                turns.go()
        except BROKEN as problem:  # at the end of a broker that stood through all rounds
            turns.broken.append(repr(problem))
            note(f"  {case.name}, {turns.broken[-1]}")
        if case.stays_up:
            self.folders.empty()
        return turns.result()


class Turns:
    """The rounds of one scenario."""

    def __init__(self, harness, case):
        self.harness, self.case, self.sizes = harness, case, harness.sizes
        self.load, self.kept, self.broken = proc.Load(), {}, []
        self.samples, self.began, self.when = {}, time.monotonic(), results.now()
        self.standing, self.cut = None, None

    def go(self):
        wanted = self.harness.rounds or (1 if self.sizes.smoke else self.case.rounds)
        for turn in range(wanted):
            before = time.monotonic()
            for name in self.case.systems if turn % 2 == 0 else reversed(self.case.systems):
                self.sample(name, turn)
            took = time.monotonic() - before
            # The first round has the warming in it: not a forecast of the second.
            if turn and turn + 1 < wanted and time.monotonic() - self.began + took > LIMIT_S:
                self.cut = f"{turn + 1} rounds, which {LIMIT_S} s allow, instead of {wanted}"
                note(f"  {self.case.name}: {self.cut}")
                return

    def sample(self, name, turn):
        if isinstance(self.samples.get(name), str):
            return
        why = None if self.samples.get(name) else self.case.needs() or self.harness.absence(name)
        if why:
            self.samples[name] = f"not run: {why}"
            return
        if not self.sizes.smoke:
            os.sync()  # nobody pays for what another one left to be written
        before = time.monotonic()
        try:
            with self.broker(SYSTEMS[name]) as broker:
                self.load.waiting = [other for other in self.kept.values() if other is not broker]
                values = self.case.sample(broker, self.sizes, self.load)
        except BROKEN as problem:
            self.broken.append(f"{name}: {problem!r}")
            self.samples[name] = f"broke: {problem!r}"
            note(f"  {self.case.name}, {self.broken[-1]}")
            return
        self.samples.setdefault(name, []).append(values)
        assert len(self.samples[name]) == turn + 1
        shown = "  ".join(f"{key.rpartition('.')[2]}={table.number(value)}" for key, value in values.items())
        note(f"  {self.case.name:11} {SYSTEMS[name].title:14} {time.monotonic() - before:5.1f} s  {shown}")

    @contextlib.contextmanager
    def broker(self, system):
        @contextlib.contextmanager
        def fresh():
            folder = self.harness.folders.new(f"{self.case.name}-{system.name}")
            with self.case.place(folder, self.sizes), \
                    peers.fresh(system.kind, self.harness.program, folder, self.case.settings | system.settings) as broker:
                yield broker

        if not self.case.stays_up:
            with fresh() as broker:
                yield broker
            return
        if system.name not in self.kept:
            self.kept[system.name] = self.standing.enter_context(fresh())
        yield self.kept[system.name]

    def warnings(self):
        if self.load.foreign() > FOREIGN_LIMIT:
            yield (f"{self.load.foreign():.0%} of {proc.CORES} cores went to work that is not the benchmark's: "
                   "a trial, not a result")
        elif self.load.most > FOREIGN_MOST:
            yield (f"{self.load.most:.0%} of {proc.CORES} cores went to work that is not the benchmark's while one sample was taken: "
                   "a trial, not a result")
        if self.harness.folders.memory_only():
            yield "the folder is in memory: fsync costs nothing there; use --folder"
        if self.sizes.smoke:
            yield "a smoke run: it shows that the scenario works, and no speed"

    def less(self):
        """What was asked for and is less than all of it: then it is measured again when nobody asks for less."""
        if self.harness.rounds is not None and self.harness.rounds < self.case.rounds:
            yield f"{self.harness.rounds} rounds instead of {self.case.rounds}"
        if self.cut:
            yield self.cut
        usual = Sizes.small() if self.sizes.smoke else Sizes()
        if self.sizes.load_s < usual.load_s:
            yield f"samples of {self.sizes.load_s:g} s where {usual.load_s:g} s are usual"
        for name in self.case.systems:
            if self.harness.absent.get(name) == LEFT_OUT:
                yield f"without {SYSTEMS[name].title}"

    def result(self):
        rows = [{"key": row.key, "title": self.sizes.put_in(row.title), "unit": row.unit, "more_is_better": row.more_is_better,
                 "goals": [{"factor": goal.factor, "against": goal.against} for goal in goals.GOALS.get(row.key, ())]}
                for row in self.case.rows]
        systems = {name: {"title": SYSTEMS[name].title, "fsync": SYSTEMS[name].fsync,
                          "settings": self.case.settings | SYSTEMS[name].settings} for name in self.case.systems}
        return {"format": results.FORMAT, "scenario": self.case.name, "title": self.sizes.put_in(self.case.title),
                "commit": self.harness.commit, "when": self.when, "took_s": round(time.monotonic() - self.began),
                "smoke": self.sizes.smoke, "client": self.case.client, "sizes": vars(self.sizes),
                "rounds": max((len(s) for s in self.samples.values() if not isinstance(s, str)), default=0),
                "machine": self.harness.machine, "versions": self.harness.versions, "foreign": round(self.load.foreign(), 3), "foreign_most": round(self.load.most, 3),
                "page_cache_mib": self.harness.page_cache_mib,
                "warnings": list(self.warnings()), "less": list(self.less()), "broken": self.broken, "systems": systems, "rows": rows,
                "samples": self.samples}
