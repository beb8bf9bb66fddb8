"""What happens to a broker, and to those who work with it, in one cycle after the other. The seed decides. Each cycle kills the
broker at least once; after each it runs.

    kill      SIGKILL
    start     SIGKILL, and once more on the way up or in the recovery
    pause     SIGSTOP for a moment, or for longer than sessions and transactions may last, SIGCONT, then SIGKILL
    rival     a second broker on the same folder while the first one sleeps (SIGSTOP): it says whose the folder is and ends, or
              serves once the first one was killed
    heir      a second broker is started in the very moment in which the first one is killed
    zombie    a worker sleeps; it is replaced by another one with its name; later it goes on
"""

import collections
import random
import time

from load import PARTITIONS
from workers import SESSION_S, is_open

KINDS = {"kill": 10, "start": 4, "pause": 3, "rival": 3, "heir": 2, "zombie": 2}
# Its transactions and sessions are over (ledger.py, transformer.py: 3 s).
LONG_S = (SESSION_S + 0.5, SESSION_S + 3)


class Faults:
    def __init__(self, broker, load, seed, shards):
        self.broker, self.load, self.shards = broker, load, shards
        self.random = random.Random(seed)
        self.counts, self.outcomes = collections.Counter(), collections.Counter()
        self.other = None  # a second broker

    def cycle(self):
        """Some load, and then what happens."""
        self.load.go_on(self.broker, self.random)
        kinds = {kind: weight for kind, weight in KINDS.items() if kind != "zombie" or self.load.workers}
        kind = self.random.choices(list(kinds), list(kinds.values()))[0]
        self.counts[kind] += 1
        getattr(self, kind)()

    def told(self):
        kinds = ", ".join(f"{self.counts[kind]} {kind}" for kind in KINDS if self.counts[kind])
        return kinds + "".join(f"; {what}: {count}" for what, count in sorted(self.outcomes.items()))

    # --- kinds

    def kill(self):
        self.broker.kill()
        self.up()

    def start(self):
        self.broker.kill()
        self.choose_shards()
        self.broker.launch()
        time.sleep(self.random.uniform(0, 0.15))
        self.broker.kill()
        self.up()

    def pause(self):
        self.broker.pause()
        time.sleep(self.random.uniform(*LONG_S) if self.random.random() < 0.4 else self.random.uniform(0.05, 1))
        self.broker.resume()
        if self.random.random() < 0.5:
            time.sleep(self.random.uniform(0, 0.5))
        self.broker.kill()
        self.up()

    def rival(self):
        self.broker.pause()
        rival = self.second()
        if self.random.random() < 0.5:  # within its patience for the lock, or not
            time.sleep(self.random.uniform(0, 0.6))
        else:
            rival.await_refusal()
        if rival.says("broker ready"):
            raise RuntimeError("a second broker serves while the first one only sleeps")
        if self.random.random() < 0.3:  # the first one may go on: nothing was touched
            self.broker.resume()
            time.sleep(self.random.uniform(0, 0.5))
        self.broker.kill()
        self.succeed(rival)

    def heir(self):
        self.broker.kill(wait=False)
        heir = self.second()
        self.broker.process.wait()
        self.succeed(heir)

    def zombie(self):
        workers = self.load.workers
        name = self.random.choice(list(workers.processes))
        limit = time.monotonic() + 1
        while not is_open(self.broker, PARTITIONS) and time.monotonic() < limit:
            pass  # so that it, or its colleague, is within a transaction
        workers.pause(name)
        time.sleep(self.random.uniform(*LONG_S) if self.random.random() < 0.5 else self.random.uniform(0, 1))
        if self.random.random() < 0.5:
            self.kill()
        workers.wake()
        time.sleep(self.random.uniform(0, 1))
        self.kill()
        workers.bury()

    # --- ways up

    def second(self):
        self.other = self.broker.rival()
        self.other.launch()
        return self.other

    def choose_shards(self):
        self.broker.settings["tailwater.shards"] = self.random.choice(self.shards)

    def up(self):
        self.choose_shards()
        self.broker.start()

    def succeed(self, other):
        """The other one has the folder now, or had refused to wait for it."""
        if other.await_ready_or_refusal():
            self.outcomes["second broker served"] += 1
            self.broker.succeeded_by(other)
            self.other = None
        else:
            self.outcomes["second broker refused"] += 1
            self.up()

    def end(self):
        if self.other and self.other.alive():
            self.other.kill()
