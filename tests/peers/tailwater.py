"""A Tailwater broker of a test's own: started, killed, stopped and started again on the same port.

It listens on a port that the system chose at its first start, keeps its data in the folder given, and writes to
FOLDER/server.log. Only the process that was started here is ever ended, by its id. `inside` runs it elsewhere, for
example in a network namespace. Limits are for a busy machine: they end what hangs, they judge nothing.
"""

import os
import pathlib
import re
import signal
import subprocess
import time

START_LIMIT_S = 120
STOP_LIMIT_S = 120
LISTENING = re.compile(r"broker listening listener=(\S+) address=(\S+) advertised=(\S+)")
REFUSAL = re.compile(r"in use by (process \d+|another process)")


class Broke(Exception):
    """The broker did not do what every test takes for granted: start, and stop in good order."""


class Broker:
    def __init__(self, program, folder, settings=None, inside=()):
        self.program, self.folder, self.inside = os.path.abspath(program), pathlib.Path(folder), list(inside)
        self.settings = {"listeners": "PLAINTEXT://127.0.0.1:0", "log.dirs": str(self.folder / "data"), "node.id": "1",
                         "tailwater.admin.listener": ""} | (settings or {})
        self.log = self.folder / "server.log"
        self.process, self.said_before = None, 0
        self.listening = {}   # listener -> host:port that it is bound to
        self.advertised = {}  # listener -> host:port that clients are told

    @property
    def address(self):
        """Where the first listener listens."""
        return next(iter(self.listening.values()))

    def start(self):
        """Returns when clients are let in."""
        self.launch()
        if not self._await_ready():
            raise Broke(f"the broker ended with {self.process.returncode} at its start: {self._said(self.said_before)[-800:]}")
        for name, listening, advertised in LISTENING.findall(self._said(self.said_before)):
            self.listening[name], self.advertised[name] = listening, advertised
        # What the system chose stays, so that clients find it again.
        self.settings["listeners"] = ",".join(f"{name}://{where}" for name, where in self.listening.items())

    def launch(self):
        """Starts the program and does not wait: it is somewhere in its start, or its recovery."""
        self.folder.mkdir(parents=True, exist_ok=True)
        properties = self.folder / "server.properties"
        properties.write_text("".join(f"{name}={value}\n" for name, value in self.settings.items()))
        command = [*self.inside, self.program, "serve", str(properties)]
        with open(self.log, "ab") as log:
            self.said_before = log.tell()
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _await_ready(self):
        """Whether it came up; False when it ended instead."""
        limit = time.monotonic() + START_LIMIT_S
        while not self.says("broker ready"):
            if self.process.poll() is not None:
                return self.says("broker ready")
            if time.monotonic() > limit:
                self.kill()
                raise Broke(f"the broker was not ready within {START_LIMIT_S} s: {self._said(self.said_before)[-800:]}")
            time.sleep(0.005)
        return True

    def says(self, words):
        """Whether it has said so since it was launched."""
        return words in self._said(self.said_before)

    # --- a second one on the same folder

    def rival(self):
        """Another broker with the folder and the addresses of this one, not launched yet."""
        other = Broker(self.program, self.folder, self.settings, self.inside)
        other.listening, other.advertised, other.log = self.listening, self.advertised, self.folder / "rival.log"
        return other

    def await_ready_or_refusal(self):
        """Whether it serves. If not, it must have ended with a line that says whose the folder is."""
        if self._await_ready():
            return True
        if self.process.returncode <= 0 or not REFUSAL.search(self._said(self.said_before)):
            raise Broke(f"a second broker ended with {self.process.returncode} without a clear refusal: "
                        f"{self._said(self.said_before)[-800:]}")
        return False

    def await_refusal(self):
        if self.await_ready_or_refusal():
            raise Broke("a second broker serves the folder of the first one")

    def succeeded_by(self, other):
        """The other one's process is ours from now on, and its words go where it writes them."""
        self.process, self.log, self.said_before = other.process, other.log, other.said_before

    def _said(self, since):
        with open(self.log, "rb") as log:
            log.seek(since)
            return log.read().decode(errors="replace")

    def last_words(self):
        return self._said(0)[-1500:] if self.log.exists() else ""

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def _must_live(self):
        ended = self.process.poll()
        if ended is not None:
            raise Broke(f"the broker had ended by itself with {ended}: {self.last_words()}")

    def kill(self, wait=True):
        """SIGKILL."""
        self._must_live()
        self.process.send_signal(signal.SIGKILL)
        if wait:
            self.process.wait()

    def pause(self):
        """SIGSTOP: it does nothing any more, and keeps everything."""
        self._must_live()
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self._must_live()
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        """SIGTERM, and a clean end."""
        self._must_live()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Broke(f"the broker did not stop within {STOP_LIMIT_S} s of SIGTERM") from None
        if code:
            raise Broke(f"the broker ended with {code} on SIGTERM: {self.last_words()}")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        if self.alive():
            self.kill()
