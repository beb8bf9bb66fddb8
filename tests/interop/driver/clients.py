"""The table of clients: what each is, how it is installed and started, and what the judge expects."""

import dataclasses
import sys
from collections.abc import Callable

import install
import wire

ALL = tuple(wire.CODECS)


@dataclasses.dataclass(frozen=True)
class Client:
    name: str
    title: str
    command: Callable[[], list]      # installs what is needed, then says what to run
    partitioner: str = ""            # how murmur2 comes about; "" for applications without the common scenario
    codecs: tuple = ALL
    cooperative: bool = False        # does the group once more with incremental rebalances (others may do so by default)
    kip848: bool = False             # and once more with the newer protocol, if the broker offers it
    counts: bool = False             # an application whose counts are judged; takes part in every round
    transactions: tuple = ()         # protocols of transactions: the one that it must choose, and others that it is brought to
    limit: int = 480                 # seconds; ends what hangs, judges nothing

    @property
    def judged(self):
        return bool(self.partitioner or self.transactions)


def _kcat():
    install.tool("kcat")
    return [sys.executable, install.CLIENTS / "kcat" / "client.py"]


def _python(name):
    return lambda: [install.python(), install.CLIENTS / "python" / f"{name}.py"]


def _node(name):
    def command():
        node, folder = install.node()
        return [node, folder / f"{name}.mjs"]
    return command


def _go(name):
    return lambda: [install.go(name)]


def _java(module, main):
    return lambda: [*install.java(module), main]


def _java_before_v2():
    """The transactional part alone, on the last client that does not know transaction.version 2."""
    programs = tuple(install.CLIENTS / "java" / f"{name}.java" for name in ("Scenario", "Transactions"))
    return [*install.java("java39", programs), "Transactions"]


def _console():
    return [sys.executable, install.CLIENTS / "console" / "client.py", *install.java("console")]


def _connect():
    return [sys.executable, install.CLIENTS / "connect" / "client.py", *install.java("connect")]


CLIENTS = [
    Client("kcat", "kcat 1.7, librdkafka 2.0.2", _kcat, "configured: topic.partitioner=murmur2"),
    Client("librdkafka", "librdkafka 2.0.2, C", lambda: [install.librdkafka()], "configured: partitioner=murmur2",
           transactions=("v1",)),
    Client("confluent", "confluent-kafka 2.16.1, Python", _python("confluent"), "configured: partitioner=murmur2", cooperative=True,
           kip848=True, transactions=("v1",)),
    Client("aiokafka", "aiokafka 0.14.0, Python", _python("aio"), "default", transactions=("v1",)),
    Client("kafka-python", "kafka-python 3.0.12", _python("kafkapython"), "default", transactions=("v1",)),
    Client("kafkajs", "kafkajs 2.2.4, Node 24", _node("kafkajs"), "configured: Partitioners.DefaultPartitioner",
           transactions=("v1",)),
    Client("platformatic", "@platformatic/kafka 2.12.1, Node 24", _node("platformatic"), "default", kip848=True),
    Client("java", "kafka-clients 4.4.0", _java("java", "Client"), "default", cooperative=True, kip848=True,
           transactions=("v2", "v1")),
    Client("java-3.9", "kafka-clients 3.9.1, transactions alone", _java_before_v2, codecs=(), transactions=("v1",)),
    Client("franz-go", "franz-go 1.22.2", _go("franz"), "default", kip848=True, transactions=("v2",)),
    Client("sarama", "sarama 1.61.1", _go("sarama"), "configured: NewMurmur2Partitioner", transactions=("v1",)),
    Client("kafka-go", "kafka-go 0.4.51", _go("segment"), "configured: Murmur2Balancer"),
    Client("console", "kafka-tools 4.3.1, console tools", _console),
    Client("streams", "kafka-streams 4.3.1", _java("streams", "WordCount")),
    Client("streams-eos", "kafka-streams 4.3.1, exactly_once_v2", _java("streams", "ExactlyOnce"), counts=True),
    Client("connect", "connect-runtime 4.3.1, distributed", _connect),
]


