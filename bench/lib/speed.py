"""The speed scenarios: load from `load` (src/apps/programs/load), a program that costs little, so that the
broker is measured and not its client. CPU is taken between the two lines that it writes around its
measured time. Every run checks that what was acknowledged is there.
"""

import json
import subprocess

import client
import peers
import proc

SCENARIOS = {
    "a": ("256 KiB batches of 1 KiB records", "bytes"),
    "a16": ("16 KiB batches of 1 KiB records", "bytes"),
    "b": ("batches of 1,000 records of 100 B", "bytes"),
    "c": ("one 100 B record a request, 64 connections x 1", "requests"),
    "c5": ("one 100 B record a request, 64 connections x 5", "requests"),
    "d": ("1,000 partitions, 100 connections x 2, 10 x 4 x 256 B", "requests"),
    "d-paced": ("the same at 10 MB/s", "requests"),
}


def run(program, port, name, seconds, warm_s, on_line):
    """Runs the load program to its end; calls on_line with each line that it writes while it works."""
    command = [program, "--port", str(port), "--scenario", name, "--seconds", str(seconds), "--warm", str(warm_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:
        said = []
        for line in process.stderr:
            said.append(line.strip())
            on_line(line.strip())
        printed = process.stdout.read()
    if process.returncode:
        raise peers.Broke(f"load ended with code {process.returncode}: {' '.join(said)[-300:]}")
    return json.loads(printed)


class Meter:
    """Processor time of the broker's process and of the whole machine while the load is measured."""

    def __init__(self, pid):
        self.pid, self.at = pid, {}

    def note(self, line):
        if line in ("measuring", "measured"):
            self.at[line] = proc.cpu_seconds(self.pid), proc.busy_seconds()

    def used(self):
        (broker, machine), (broker_after, machine_after) = self.at["measuring"], self.at["measured"]
        return broker_after - broker, machine_after - machine


def sampler(name, work):
    def sample(broker, sizes, load):
        broker.launch()
        with client.connect(broker):
            broker.launched()
        warm = sizes.kafka_warm_s if isinstance(broker, peers.Kafka) else min(sizes.kafka_warm_s, 2)
        meter = Meter(broker.pid)
        with load.window(broker):
            told = run(peers.load_program, broker.port, name, sizes.load_s, warm, meter.note)
        broker_s, machine_s = meter.used()
        machine_s -= told["client_cpu_s"]
        per = told["mb_per_s"] * told["seconds"] / 1000 if work == "bytes" else told["requests"] / 1e6
        result = {"rate": told["mb_per_s"] if work == "bytes" else told["requests_per_s"] / 1000,
                  "cpu": broker_s / per, "machine": machine_s / per,
                  "p50": told["p50_us"] / 1000, "p99": told["p99_us"] / 1000, "p999": told["p999_us"] / 1000}
        return {f"{name}.{key}": value for key, value in result.items()}
    return sample


def rows(row, name, title, work):
    """`row` is the harness's Row."""
    rate, cost = ("MB/s", "s/GB") if work == "bytes" else ("k/s", "us")
    yield row(f"{name}.rate", f"({name}) {title}", rate, "", True)
    yield row(f"{name}.cpu", "  CPU of the broker", cost)
    yield row(f"{name}.machine", "  CPU of the machine less the client", cost)
    yield row(f"{name}.p50", "  latency, median", "ms")
    yield row(f"{name}.p99", "  latency, p99", "ms")
    yield row(f"{name}.p999", "  latency, p99.9", "ms")
