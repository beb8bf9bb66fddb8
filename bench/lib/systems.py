"""The systems that are compared: what each is called, how it is started, and when it answers. `fsync` says whether an
answer to a producer means that the records are on the disk.
"""

import dataclasses

import peers


@dataclasses.dataclass(frozen=True)
class System:
    name: str
    title: str
    kind: object
    fsync: str
    settings: dict = dataclasses.field(default_factory=dict)
    client: str = "`load`, this project's own"


SYSTEMS = {system.name: system for system in (
    System("tailwater", "Tailwater", peers.Tailwater, "before each answer"),
    System("kafka", "Kafka", peers.Kafka, "never asked for (its default)"),
    System("kafka-fsync", "Kafka, fsync", peers.Kafka, "before each answer", peers.FLUSHED),
)}
