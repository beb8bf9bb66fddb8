"""Workers that consume, transform and produce exactly once (transformer.py), as a supervisor keeps them going."""

import collections
import json
import pathlib
import signal
import subprocess
import time

import wire

HERE = pathlib.Path(__file__).resolve().parent
GROUP, SOURCE, TARGET = "transformers", "source", "target"
STILL_S = 120  # nothing is transformed any more: given up
SESSION_S = 3  # of the group, as transformer.py has it


class Workers:
    """Processes of transformer.py. One that was killed is started again under its name, as a supervisor would do."""

    def __init__(self, python, broker, count, batch):
        self.command, self.batch = [str(python), "-B", str(HERE / "transformer.py"), broker], batch
        self.processes, self.paused = {}, None
        for number in range(count):
            self.start(f"worker-{number}")

    def start(self, name):
        self.processes[name] = subprocess.Popen([*self.command, name, str(self.batch)], stdin=subprocess.DEVNULL,
                                                stdout=subprocess.PIPE, text=True)

    def check(self):
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended by itself with {process.returncode}")

    def kill(self):
        for process in self.processes.values():
            process.kill()
            process.wait()

    def start_again(self):
        for name in self.processes:
            self.start(name)

    def pause(self, name):
        """The supervisor takes the worker for dead, which only sleeps, and starts it again."""
        self.paused = self.processes[name]
        self.paused.send_signal(signal.SIGSTOP)
        self.start(name)

    def wake(self):
        """The sleeper goes on as if nothing had happened: a zombie."""
        self.paused.send_signal(signal.SIGCONT)

    def bury(self):
        """Kills it for good."""
        if self.paused:
            self.paused.kill()
            self.paused.wait()
            self.paused = None

    def stop(self):
        """What they did, added up; those that were killed cannot tell."""
        total = collections.Counter()
        for process in self.processes.values():
            process.terminate()
        for name, process in self.processes.items():
            said, _ = process.communicate(timeout=STILL_S)
            if process.returncode:
                raise RuntimeError(f"{name} ended with {process.returncode}")
            total.update(json.loads(said))
        return total

    def end(self):
        self.bury()
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
                process.wait()


def committed(broker, partitions):
    """The group's offsets by partition, 0 where there is none."""
    with wire.Connection(broker.address) as connection:
        return [max(0, offset) for offset in connection.committed(GROUP, SOURCE, partitions)]


def is_open(broker, partitions):
    """Whether a transaction has written records to the target and is not ended."""
    with wire.Connection(broker.address) as connection:
        return connection.offsets(TARGET, partitions, isolation=1) != connection.offsets(TARGET, partitions)


def await_progress(broker, workers, ends, wanted):
    """Returns when so many offsets, over all partitions, are committed; the broker runs."""
    last, limit = -1, time.monotonic() + STILL_S
    while True:
        workers.check()
        now = sum(committed(broker, len(ends)))
        if now >= wanted:
            return now
        if now > last:
            last, limit = now, time.monotonic() + STILL_S
        if time.monotonic() > limit:
            raise RuntimeError(f"{now} of {sum(ends)} records are transformed, and no more for {STILL_S} s")
        time.sleep(0.005)
