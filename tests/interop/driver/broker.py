"""The broker under test: one that runs already (--broker), Tailwater's program (--start PATH) or
a real Apache Kafka (--start kafka). A started broker listens on a loopback port of its own, keeps its data
in a temporary folder and is stopped with SIGTERM. Its end before that counts as a failure of the
client that saw it; a fresh one is started for the next client.
"""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

import install

sys.path.insert(0, str(install.REPOSITORY / "tests" / "peers"))
import tailwater  # noqa: E402

SETTINGS = {
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "8",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
    "group.initial.rebalance.delay.ms": "0",
    "group.consumer.min.heartbeat.interval.ms": "500",
    "group.consumer.heartbeat.interval.ms": "500",
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Running:
    """A broker that somebody else started."""

    settle = 1.0

    def __init__(self, address):
        self.address, self.title = address, f"broker at {address}"

    def start(self):
        pass

    def stop(self):
        return None

    def alive(self):
        return True

    def log_tail(self):
        return ""


class Kafka:
    """A real Apache Kafka, as Started has Tailwater."""

    settle = 1.0  # it answers before all is in effect
    title = "Apache Kafka 4.4.0"

    def __init__(self, overrides):
        self.overrides, self.address, self.folder = overrides, None, None

    def _script(self, word, *more, **options):
        return subprocess.run([str(install.SUITE / "kafka"), word, str(self.folder), *more], **options)

    def start(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="interop-broker-"))
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        self._script("start", str(port), *(f"{name}={value}" for name, value in (SETTINGS | self.overrides).items()), check=True,
                     timeout=600, env=os.environ | {"KAFKA_CONTROLLER_PORT": str(free_port())})

    def alive(self):
        return self._script("status", check=False).returncode == 0

    def log_tail(self):
        log = self.folder / "server.log"
        return log.read_text(errors="replace")[-1500:] if log.exists() else ""

    def stop(self):
        if self.folder:
            self._script("stop", check=False, timeout=120)
            shutil.rmtree(self.folder, ignore_errors=True)


class Started:
    """A Tailwater that lives as long as a round."""

    settle = 0

    def __init__(self, program, shards, overrides):
        self.program, self.broker = program, None
        self.settings = SETTINGS | ({"tailwater.shards": str(shards)} if shards else {}) | overrides
        self.title = str(program) + (f", {shards} shard{'s' * (shards > 1)}" if shards else "")

    @property
    def address(self):
        return self.broker.address

    def start(self):
        self.broker = tailwater.Broker(self.program, tempfile.mkdtemp(prefix="interop-broker-"), self.settings)
        self.broker.start()

    def alive(self):
        return self.broker.alive()

    def log_tail(self):
        return self.broker.last_words()

    def stop(self):
        """None, or how it ended otherwise than in good order. Its folder is kept then."""
        if not self.broker:
            return None
        try:
            self.broker.stop()
        except tailwater.Broke as problem:
            return f"{problem}; its folder is kept: {self.broker.folder}"
        shutil.rmtree(self.broker.folder, ignore_errors=True)
        return None
