"""The systems that are compared: what each is called, how it is started, and when it answers. `fsync` says whether an
answer to a producer means that the records are on the disk.
"""

import dataclasses

import peers
import streams


LOAD = "`load`: Kafka's protocol"
PEER_LOAD = "`peer_load`"


@dataclasses.dataclass(frozen=True)
class System:
    name: str
    title: str
    kind: object
    fsync: str
    settings: dict = dataclasses.field(default_factory=dict)
    client: str = LOAD

    @property
    def ours(self):
        """A program of this project."""
        return issubclass(self.kind, peers.Tailwater)


SYSTEMS = {system.name: system for system in (
    System("tailwater", "Tailwater", peers.Tailwater, "before each answer"),
    System("kafka", "Kafka", peers.Kafka, "not before the answer (its default; a segment is flushed when the next one begins)"),
    System("kafka-fsync", "Kafka, fsync", peers.Kafka, "before each answer", peers.FLUSHED),
    System("limit", "Limit program", peers.Limit, "before each answer"),
    System("echo", "Echo program", peers.Echo, "it keeps nothing"),
    System("nats", "NATS", streams.Nats, "within 2 minutes (its default)", client=f"{PEER_LOAD}: a message for each record, each acknowledged"),
    System("nats-sync", "NATS, sync", streams.NatsSynced, "before each answer (`sync_interval: always`)",
           client=f"{PEER_LOAD}: a message for each record, each acknowledged"),
    System("rabbitmq", "RabbitMQ", streams.Rabbit, "never asked for (streams have no such choice)",
           client=f"{PEER_LOAD}: stream protocol, a batch is one entry, each confirmed"),
    System("redpanda", "Redpanda", streams.Redpanda, "before each answer (its default)"),
)}
