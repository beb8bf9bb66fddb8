"""Systems that do not speak Kafka's protocol, and so have a load program of their own (bench/clients/peer_load): NATS
JetStream and RabbitMQ's streams. Each runs in a folder of its own and is ended by the process id that started it.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

import peers
from client import free_port

SCRIPTS = peers.KAFKA.parent
SOURCES = peers.REPOSITORY / "bench" / "clients" / "peer_load"
START_LIMIT_S, STOP_LIMIT_S, INSTALL_LIMIT_S = 120, 60, 900


def cache():
    return pathlib.Path(os.environ.get("PEERS_CACHE", peers.REPOSITORY / "build" / "peers")).resolve()


def load_program():
    return str(cache() / "peer_load" / "peer_load")


def built(sources=SOURCES):
    """None, or why the load program cannot be had. Go's own cache makes this quick when nothing changed."""
    if not shutil.which("go"):
        return "Go, in which its load program is written, is not installed"
    done = subprocess.run(["go", "build", "-o", load_program(), "."], cwd=sources, check=False, timeout=INSTALL_LIMIT_S,
                          capture_output=True, text=True)
    return None if done.returncode == 0 else f"its load program does not build: {done.stderr.strip()[-200:]}"


class Stream:
    """One of them; `script` has install and run."""

    script = system = None
    words = ()  # of run, behind the folder and the port
    needs = ()  # in its folder of the cache, once it is installed
    poll_s = 0.01
    first_warm_share = 0

    def __init__(self, _program, folder, settings=None):
        self.folder, self.settings = folder, settings or {}
        self.process = self.pid = self.port = None

    def load_command(self):
        held = self.settings.get("log.retention.bytes", str(1 << 30))
        return [load_program(), "--system", self.system, "--held", held]

    def launch(self):
        self.port = free_port()
        ports = " ".join(str(free_port()) for _ in range(3))
        with open(self.folder / "server.log", "wb") as log:
            before = time.monotonic()
            self.process = subprocess.Popen([SCRIPTS / self.script, "run", self.folder, str(self.port), *self.words],
                                            stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                                            env=os.environ | {"RABBITMQ_PORTS": ports})
        self.pid = self.process.pid
        return before

    def launched(self):
        limit = time.monotonic() + START_LIMIT_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
                return
            except OSError:
                if not self.alive() or time.monotonic() > limit:
                    raise peers.Broke(f"{self.system} did not start: {peers.tail(self.folder)}") from None
                time.sleep(self.poll_s)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        if not self.process:
            return
        process, self.process, self.pid = self.process, None, None
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise peers.Broke(f"{self.system} did not stop within {STOP_LIMIT_S} s of SIGTERM") from None

    @classmethod
    def absent(cls, may_install):
        """None, or why it cannot be started here."""
        if not (cache() / cls.script.partition(".")[0] / "stamp").exists():
            if not may_install:
                return f"it is not installed (tests/peers/{cls.script} install)"
            done = subprocess.run([SCRIPTS / cls.script, "install"], check=False, timeout=INSTALL_LIMIT_S, capture_output=True, text=True)
            if done.returncode:
                return f"tests/peers/{cls.script} install failed: {done.stderr.strip()[-200:]}"
        return built()


class Nats(Stream):
    script, system = "nats.sh", "nats"


class NatsSynced(Nats):
    words = ("always",)


class Rabbit(Stream):
    script, system = "rabbitmq.sh", "rabbitmq"


class Redpanda(Stream):
    @classmethod
    def absent(cls, may_install):
        return "there is no package of it where the others come from; it is published as a container image and on its maker's own servers"
