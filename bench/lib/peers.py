"""The two brokers that are compared: Tailwater's program and a real Apache Kafka (tests/peers/kafka.sh).
Both listen on free loopback ports with all data in a folder of their own, and are ended by their process
id only. `launch` returns the moment of the exec, before the broker answers anything.
"""

import contextlib
import hashlib
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import tempfile
import time

import proc
from client import free_port

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
KAFKA = REPOSITORY / "tests" / "peers" / "kafka.sh"
load_program = str(REPOSITORY / "build" / "release" / "load")  # beside the broker's program
HEAP = "1g"  # of Kafka's own start script
FLUSHED = {"log.flush.interval.messages": "1"}  # Kafka: on disk before the answer, as Tailwater always does


class Broke(Exception):
    """A measurement did not come to its end."""


def raise_file_limit():
    """10,000 partitions need as many open files in Kafka; children inherit the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(hard, 100000), max(hard, 100000)))


class Folders:
    """Temporary folders under one root. Those of cases that create many files while the clock runs go at the very end: a
    file system that has just unlinked thousands of files may create new ones more slowly, and that would be measured as
    the broker's."""

    def __init__(self, parent):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="tailwater-bench-", dir=parent))
        self.count = 0

    def new(self, name):
        self.count += 1
        folder = self.root / f"{self.count:03}-{name}"
        folder.mkdir()
        return folder

    def empty(self):
        for folder in self.root.iterdir():
            if folder.is_dir():
                shutil.rmtree(folder, ignore_errors=True)

    def remove(self):
        shutil.rmtree(self.root, ignore_errors=True)

    def memory_only(self):
        """Whether the folder is on a file system where a disk write costs nothing."""
        best = ("", "")
        for line in pathlib.Path("/proc/mounts").read_text().splitlines():
            _, where, kind = line.split()[:3]
            if self.root.is_relative_to(where) and len(where) >= len(best[0]):
                best = (where, kind)
        return best[1] in ("tmpfs", "ramfs")


class Tailwater:
    name = "Tailwater"
    poll_s = 0.0005
    first_warm_share = 0  # of Sizes.first_warm_s: only a compiler at run time has to be warmed for long

    def __init__(self, program, folder, settings=None):
        self.program, self.folder, self.settings = program, folder, settings or {}
        self.process = self.pid = self.port = self.admin_port = None

    def command(self):
        self.admin_port = free_port()
        command = [self.program, "serve"]
        for setting in (f"listeners=PLAINTEXT://127.0.0.1:{self.port}", f"log.dirs={self.folder}/data", "node.id=1",
                        "auto.create.topics.enable=false", f"tailwater.admin.listener=127.0.0.1:{self.admin_port}",
                        *(f"{name}={value}" for name, value in self.settings.items())):
            command += ["--override", setting]
        return command

    def launch(self):
        self.port = free_port()
        with open(self.folder / "server.log", "wb") as log:
            before = time.monotonic()
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        self.pid = self.process.pid
        return before

    def launched(self):
        pass

    def load_command(self):
        return [load_program, "--evict", str(self.folder)]

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = self.pid = None

    def stop(self, clean=True):
        assert clean, "Tailwater is always stopped cleanly: its exit code is checked"
        if not self.process:
            return
        process, self.process, self.pid = self.process, None, None
        early = process.poll()
        if early is None:
            process.send_signal(signal.SIGTERM)
            try:
                early = process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise Broke("Tailwater did not stop within 30 s of SIGTERM") from None
        if early:
            raise Broke(f"Tailwater ended with code {early}: {tail(self.folder)}")


class Limit(Tailwater):
    """This project's program that only moves the same bytes (src/apps/programs/limit), beside the broker's."""

    name = "Limit"
    mode = "durable"

    def command(self):
        program = pathlib.Path(self.program).resolve().parent / "limit"
        return [str(program), self.mode, "--port", str(self.port), "--folder", str(self.folder / "data")]

    @staticmethod
    def absent(may_install):
        return None


class Echo(Limit):
    name = "Echo"
    mode = "echo"


class Kafka:
    """The clock starts at the exec of the broker itself: formatting the folder, which Kafka needs once
    and which takes two more Java programs, is not counted."""

    name = "Kafka"
    poll_s = 0.002
    first_warm_share = 1

    def __init__(self, _program, folder, settings=None):
        self.folder, self.settings = folder, settings or {}
        self.script = self.pid = self.port = None

    def launch(self):
        self.port = free_port()
        with open(self.folder / "script.log", "wb") as log:
            self.script = subprocess.Popen(
                [str(KAFKA), "start", str(self.folder), str(self.port)] + [f"{k}={v}" for k, v in self.settings.items()],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, env={"KAFKA_HEAP": HEAP} | os.environ | {"KAFKA_CONTROLLER_PORT": str(free_port())})
        written, limit = self.folder / "pid", time.monotonic() + 120
        while not (written.exists() and written.read_text().strip()):
            if self.script.poll() is not None or time.monotonic() > limit:
                raise Broke(f"kafka.sh: {(self.folder / 'script.log').read_text(errors='replace')[-400:]}")
            time.sleep(0.001)
        self.pid = int(written.read_text())
        return time.monotonic()

    def launched(self):
        """The script waits until the broker says that it has started."""
        if self.script and self.script.wait(200):
            raise Broke(f"Kafka did not start: {tail(self.folder)}")
        self.script = None

    def load_command(self):
        return [load_program, "--evict", str(self.folder)]

    def alive(self):
        return self.pid is not None and proc.is_alive(self.pid)

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        while self.alive():
            time.sleep(0.01)
        (self.folder / "pid").unlink()
        self.pid = None

    def stop(self, clean=False):
        """A clean stop takes many seconds, which nobody needs of a folder that is thrown away."""
        if self.script and self.script.poll() is None:  # nobody needs to wait for a start
            os.killpg(self.script.pid, signal.SIGKILL)
            self.script.wait()
        self.script = None
        if not self.pid and not (self.folder / "pid").exists():
            return
        if not clean and self.pid and self.alive():
            os.kill(self.pid, signal.SIGKILL)
        self.pid = None
        subprocess.run([str(KAFKA), "stop", str(self.folder)], check=False, timeout=90,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @staticmethod
    def absent(may_install):
        """None, or why it cannot be started here."""
        cache = pathlib.Path(os.environ.get("PEERS_CACHE", REPOSITORY / "build" / "peers")) / "kafka"
        want = hashlib.sha256((KAFKA.parent / "kafka-pom.xml").read_bytes()).hexdigest()
        if not shutil.which("java"):
            return "no Java on this machine"
        with contextlib.suppress(OSError):
            if (cache / "stamp").read_text().split()[0] == want:
                return None
        if not may_install:
            return "its jars are not installed (tests/peers/kafka.sh install)"
        done = subprocess.run([str(KAFKA), "install"], check=False, timeout=900, capture_output=True, text=True)
        return None if done.returncode == 0 else f"kafka.sh install failed: {done.stderr.strip()[-200:]}"


def tail(folder):
    log = folder / "server.log"
    return log.read_text(errors="replace")[-400:].strip() if log.exists() else "no log"


@contextlib.contextmanager
def fresh(kind, program, folder, settings=None):
    """A broker object that is surely ended; a broken end is an error only if all went well before."""
    broker = kind(program, folder, settings)
    try:
        yield broker
    except BaseException:
        with contextlib.suppress(Broke, subprocess.TimeoutExpired):
            broker.stop()
        raise
    broker.stop()
