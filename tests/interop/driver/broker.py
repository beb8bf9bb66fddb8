"""The broker under test: one that runs already (--broker), Tailwater's program (--start PATH) or
a real Apache Kafka (--start kafka). A started broker listens on a free loopback port, keeps its data
in a temporary folder and is stopped with SIGTERM. Its end before that counts as a failure of the
client that saw it; a fresh one is started for the next client.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import install
import wire

SETTINGS = {
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "8",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
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


class Started:
    """A broker that lives as long as the suite."""

    def __init__(self, path, shards, overrides):
        self.kafka = path == "kafka"
        self.settle = 1.0 if self.kafka else 0  # Kafka answers before all is in effect
        self.path, self.shards, self.overrides = path, shards, overrides
        self.title = "Apache Kafka 4.4.0" if self.kafka else str(path) + (f", {shards} shards" if shards else "")
        self.address = self.folder = self.process = None

    def settings(self, port):
        values = dict(SETTINGS)
        if not self.kafka:
            values |= {"node.id": "1", "listeners": f"PLAINTEXT://127.0.0.1:{port}",
                       "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}", "log.dirs": f"{self.folder}/data",
                       "tailwater.admin.listener": ""}
            if self.shards:
                values["tailwater.shards"] = str(self.shards)
        return values | self.overrides

    def start(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="interop-broker-"))
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        settings = [f"{name}={value}" for name, value in self.settings(port).items()]
        if self.kafka:
            subprocess.run([str(install.SUITE / "kafka"), "start", str(self.folder), str(port), *settings], check=True,
                           timeout=600, env=os.environ | {"KAFKA_CONTROLLER_PORT": str(free_port())})
            return
        (self.folder / "data").mkdir()
        (self.folder / "server.properties").write_text("\n".join(settings) + "\n")
        with open(self.folder / "server.log", "wb") as log:
            self.process = subprocess.Popen([self.path, "serve", str(self.folder / "server.properties")],
                                            stdout=log, stderr=log, start_new_session=True)
        self._await()

    def _await(self):
        limit = time.monotonic() + 30
        while time.monotonic() < limit and self.alive():
            try:
                with wire.Connection(self.address, timeout=2) as connection:
                    connection.api_versions()
                return
            except (OSError, wire.WireError):
                time.sleep(0.05)
        raise RuntimeError(f"the broker did not come up: {self.log_tail()}")

    def alive(self):
        if self.kafka:
            return subprocess.run([str(install.SUITE / "kafka"), "status", str(self.folder)], check=False).returncode == 0
        return self.process is not None and self.process.poll() is None

    def log_tail(self):
        log = self.folder / "server.log"
        return log.read_text(errors="replace")[-1500:] if log.exists() else ""

    def stop(self):
        """None, or how it ended otherwise than in good order."""
        wrong = None
        if self.kafka:
            subprocess.run([str(install.SUITE / "kafka"), "stop", str(self.folder)], check=False, timeout=120)
        elif self.process:
            ended_before = self.process.poll()
            if ended_before is not None:
                wrong = f"the broker ended by itself with code {ended_before}: {self.log_tail()}"
            else:
                self.process.send_signal(signal.SIGTERM)
                try:
                    code = self.process.wait(30)
                    wrong = None if code == 0 else f"the broker ended with code {code} on SIGTERM: {self.log_tail()}"
                except subprocess.TimeoutExpired:
                    self.process.kill()
                    self.process.wait()
                    wrong = "the broker did not stop within 30 s of SIGTERM"
        if wrong is None:
            shutil.rmtree(self.folder, ignore_errors=True)
        return wrong
