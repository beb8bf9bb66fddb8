"""A Kafka Connect worker in distributed mode (group membership, three compacted internal topics) with the file source
and the file sink. Usage: client.py JAVA-COMMAND... (the driver gives java, options, class path).
"""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from interop import BROKER, PREFIX, await_, expect, step

JAVA = sys.argv[1:]
SCRATCH = pathlib.Path(os.environ["INTEROP_SCRATCH"])
SOURCE, SINK, TOPIC = SCRATCH / "source.txt", SCRATCH / "sink.txt", f"{PREFIX}-lines"
FROM, TO = f"{PREFIX}-source", f"{PREFIX}-sink"  # names of the connectors
LINES = 5000


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Worker:
    """One worker process; its REST interface is the only way to talk to it."""

    def __init__(self, name):
        self.port = free_port()
        properties = SCRATCH / f"{name}.properties"
        properties.write_text("".join(f"{key}={value}\n" for key, value in {
            "bootstrap.servers": BROKER, "group.id": f"{PREFIX}-connect", "client.id": name,
            "listeners": f"http://127.0.0.1:{self.port}", "rest.advertised.host.name": "127.0.0.1", "plugin.discovery": "service_load",
            "config.storage.topic": f"{PREFIX}-configs", "config.storage.replication.factor": 1,
            "offset.storage.topic": f"{PREFIX}-offsets", "offset.storage.replication.factor": 1, "offset.storage.partitions": 5,
            "status.storage.topic": f"{PREFIX}-status", "status.storage.replication.factor": 1, "status.storage.partitions": 2,
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter": "org.apache.kafka.connect.storage.StringConverter",
            "offset.flush.interval.ms": 500, "heartbeat.interval.ms": 300, "session.timeout.ms": 30000,
            "scheduled.rebalance.max.delay.ms": 500, "topic.creation.enable": "true"}.items()))
        self.process = subprocess.Popen([*JAVA, "org.apache.kafka.connect.cli.ConnectDistributed", str(properties)],
                                        stdout=sys.stderr, stderr=sys.stderr)
        try:
            await_(f"{name} answers", self.ready)
        except (AssertionError, RuntimeError):
            self.process.kill()
            raise

    def ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"the worker ended with {self.process.returncode}")
        try:
            self.ask("GET", "/connectors")
            return True
        except (OSError, AssertionError):  # no socket yet, or 404 until it is initialized
            return False

    def ask(self, method, path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        for _ in range(120):
            try:
                with urllib.request.urlopen(request, timeout=90) as answer:
                    data = answer.read()
                    return json.loads(data) if data else None
            except urllib.error.HTTPError as refused:
                if refused.code != 409:  # a rebalance is going on
                    raise AssertionError(f"{method} {path}: {refused.code} {refused.read()[:300]}") from refused
                time.sleep(0.5)
        raise AssertionError(f"{method} {path}: rebalances without end")

    def running(self, connector):
        try:
            status = self.ask("GET", f"/connectors/{connector}/status")
        except AssertionError:
            return False  # not there yet
        states = [status["connector"]["state"], *[task["state"] for task in status["tasks"]]]
        expect("FAILED" not in states, f"{connector}: {status}")
        return len(states) == 2 and set(states) == {"RUNNING"}

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(120)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGQUIT)  # its threads go to the log
            time.sleep(2)
            raise


def write(first, last):
    with SOURCE.open("a") as file:
        file.writelines(f"line {i}\n" for i in range(first, last))


def arrived(count):
    return SINK.exists() and SINK.read_text().count("\n") >= count


def exact(count):
    found = SINK.read_text().splitlines()
    expect(sorted(found) == sorted(f"line {i}" for i in range(count)), f"{len(found)} lines, {len(set(found))} different, expected {count}")


def start():
    workers["first"] = Worker("first")
    plugins = [p["class"] for p in workers["first"].ask("GET", "/connector-plugins")]
    return f"{len(plugins)} plug-ins, cluster {workers['first'].ask('GET', '/')['kafka_cluster_id']}"


def connectors():
    write(0, LINES)
    worker = workers["first"]
    worker.ask("POST", "/connectors", {"name": FROM, "config": {
        "connector.class": "FileStreamSource", "tasks.max": "1", "file": str(SOURCE), "topic": TOPIC, "batch.size": "500",
        "topic.creation.default.replication.factor": "1", "topic.creation.default.partitions": "1"}})
    await_("the source runs", lambda: worker.running(FROM))
    await_("the topic is there", lambda: TOPIC in worker.ask("GET", f"/connectors/{FROM}/topics")[FROM]["topics"])
    worker.ask("POST", "/connectors", {"name": TO, "config": {
        "connector.class": "FileStreamSink", "tasks.max": "1", "file": str(SINK), "topics": TOPIC,
        "consumer.override.metadata.max.age.ms": "1000"}})
    await_("the sink runs", lambda: worker.running(TO))
    return "source and sink RUNNING"


def copy():
    await_(f"{LINES} lines", lambda: arrived(LINES))
    time.sleep(1)
    exact(LINES)
    return f"{LINES} lines, none lost, none doubled"


def second_worker():
    workers["second"] = Worker("second")
    worker = workers["second"]
    await_("tasks run again", lambda: worker.running(FROM) and worker.running(TO))
    write(LINES, 2 * LINES)
    await_(f"{2 * LINES} lines", lambda: arrived(2 * LINES))
    exact(2 * LINES)
    places = {worker.ask("GET", f"/connectors/{c}/status")["tasks"][0]["worker_id"] for c in (FROM, TO)}
    return f"tasks on {len(places)} workers"


def restart():
    """Both workers stop in good order; the new one knows connectors, source position and sink offsets from the topics."""
    time.sleep(1.5)  # offsets are flushed every 0.5 s
    for worker in workers.values():
        worker.stop()
    workers.clear()
    write(2 * LINES, 3 * LINES)
    workers["third"] = worker = Worker("third")
    await_("the connectors are remembered", lambda: sorted(worker.ask("GET", "/connectors")) == [TO, FROM])
    await_(f"{3 * LINES} lines", lambda: arrived(3 * LINES))
    time.sleep(1)
    exact(3 * LINES)
    offsets = worker.ask("GET", f"/connectors/{TO}/offsets")["offsets"]
    return f"{3 * LINES} lines, sink offsets {[o['offset']['kafka_offset'] for o in offsets]}"


def remove():
    worker = workers["third"]
    for connector in (FROM, TO):
        worker.ask("DELETE", f"/connectors/{connector}")
    await_("they are gone", lambda: worker.ask("GET", "/connectors") == [])
    worker.stop()
    return "connectors deleted, worker stopped"


workers = {}
for each in (start, connectors, copy, second_worker, restart, remove):
    if not step(each.__name__.replace("_", "-"), each):
        break
for left in workers.values():
    left.process.kill()
