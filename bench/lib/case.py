"""What a scenario is: what one sample of it measures, the rows that its figures make, and which systems take part."""

import contextlib
import dataclasses

MIB = 1 << 20
PAIR = ("tailwater", "kafka")
WITH_FSYNC = ("tailwater", "kafka", "kafka-fsync")


@dataclasses.dataclass
class Row:
    """A figure. Every sample gives a number under its key."""

    key: str
    title: str
    unit: str
    more_is_better: bool = False


@dataclasses.dataclass
class Sizes:
    """How much is done in a sample."""

    idle_s: float = 20
    settle_s: float = 20  # a compiler at run time goes on for a while
    partitions: int = 10000
    commits: int = 1000000
    load_s: float = 10
    warm_s: float = 3  # of each sample, before its clock runs
    first_warm_s: float = 60  # of Kafka's first sample: its compiler needs a minute under load
    members: int = 100
    user_records: int = 600000  # of 1 KiB, with the clients that people use
    disk_mib: int = 20480  # of the file system that is nearly full
    smoke: bool = False

    def put_in(self, text):
        """The text with these numbers."""
        return text.format(partitions=f"{self.partitions:,}", commits=f"{self.commits:,}", members=self.members)

    @staticmethod
    def small():
        return Sizes(idle_s=0.5, settle_s=0.5, partitions=200, commits=20000, load_s=1, warm_s=0.2, first_warm_s=0.5, members=10, user_records=12000,
                     disk_mib=6144, smoke=True)


@dataclasses.dataclass
class Case:
    """One scenario: it runs alone and has a result file of its own."""

    name: str
    title: str
    rows: list
    sample: object  # (broker, sizes, load) -> {row key: number}; what cannot be completed raises
    systems: tuple = PAIR
    rounds: int = 5
    stays_up: bool = False  # one broker of each system for all rounds; the sample launches it if nobody did
    settings: dict = dataclasses.field(default_factory=dict)  # of every broker
    client: str = "load"  # what drives it
    place: object = lambda _folder, _sizes: contextlib.nullcontext()  # what must be around a broker's folder while it lives
    needs: object = lambda: None  # of the machine: why it cannot be run here
