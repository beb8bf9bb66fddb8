"""What the Python clients' transactional scenarios have in common: names, the plan (scenario.Txn), and the event file."""

import os

from interop import PREFIX
from scenario import Txn, txn_group, txn_topics

IN, OUT = txn_topics(PREFIX)
GROUP = txn_group(PREFIX)
FATES = {number: fate == "commit" for number, fate in Txn.PLAN.items()}


def id_of(name):
    return f"{PREFIX}-{name}"


def last_values(number):
    """The last record of a transaction in each partition: a reader that has seen them has seen all."""
    return {value for _, value in Txn.values(number)[-Txn.PARTITIONS:]}


class Told:
    """The event file: ends that were acknowledged, or refused as planned, and what readers were handed."""

    def __init__(self):
        self.file = open(os.environ["INTEROP_EVENTS"] + "@txn", "w", encoding="utf-8")

    def end(self, number, fate):
        self._event("E", number, fate)

    def read(self, isolation, topic, partition, offset, value):
        self._event("R", isolation, topic, partition, offset, value)

    def _event(self, *fields):
        print(*fields, sep="\t", file=self.file, flush=True)
