"""The transactional scenario of the Python clients: names, the plan (scenario.Txn), the event file, and for clients that block
until they are answered the steps themselves, over an adapter:

    producer(name, timeout_ms)   with begin(), send(topic, [(partition, value)]) that returns when the records are in the
                                 log, offsets({partition: offset}, consumer) and end(commit)
    consumer(isolation, group)   subscribed to IN, or without a group reading a topic from its start: reader(isolation,
                                 topic); with take(most), which may be empty: [(partition, offset, value)], and close()
    refused(problem)             whether an exception tells that a producer is fenced, or its transaction over
    look(id), ended(id)          at an open transaction through the admin client, and whether it is told as aborted; look is
                                 None where it knows no transactions
"""

import os

from interop import PREFIX, await_, expect, settle, step
from scenario import Txn, txn_group, txn_topics

IN, OUT = txn_topics(PREFIX)
GROUP = txn_group(PREFIX)
FATES = {number: fate == "commit" for number, fate in Txn.PLAN.items()}
TIMEOUT_MS, SHORT_TIMEOUT_MS = 60000, 2000


def id_of(name):
    return f"{PREFIX}-{name}"


def last_values(number):
    """The last record of a transaction in each partition: a reader that has seen them has seen all."""
    return {value for _, value in Txn.values(number)[-Txn.PARTITIONS:]}


class Told:
    """The event file: ends that were acknowledged, or refused as planned, and what readers were handed."""

    def __init__(self):
        self.file = open(os.environ["INTEROP_EVENTS"] + "@txn", "w", encoding="utf-8")

    def end(self, number):
        self._event("E", number, Txn.PLAN[number])

    def read(self, isolation, topic, partition, offset, value):
        self._event("R", isolation, topic, partition, offset, value)

    def _event(self, *fields):
        print(*fields, sep="\t", file=self.file, flush=True)


class Scenario:
    def __init__(self, client):
        self.client, self.told = client, Told()

    def run(self):
        steps = (("start", self.start), ("ends", self.ends), ("fence", self.fence), ("admin", self.admin),
                 ("timeout", self.timeout), ("transform", self.transform), ("read", self.readers))
        for name, work in steps:
            if not step(f"txn.{name}", work):
                break

    def start(self):
        self.client.create([IN, OUT])
        settle()
        self.x, self.y = self.client.producer("x", TIMEOUT_MS), self.client.producer("y", TIMEOUT_MS)
        return "two producers"

    def open(self, producer, topic, number):
        producer.begin()
        producer.send(topic, Txn.values(number))

    def end(self, producer, number):
        producer.end(FATES[number])
        self.told.end(number)

    def transact(self, producer, topic, number):
        self.open(producer, topic, number)
        self.end(producer, number)

    def refused(self, producer, number):
        """A commit that must not succeed any more."""
        try:
            producer.end(True)
        except Exception as problem:
            expect(self.client.refused(problem), f"refused with {problem!r}")
            self.told.end(number)
            return repr(problem)
        raise AssertionError(f"transaction {number} was committed")

    def ends(self):
        for number in range(0, Txn.ENDS, 2):
            outer, inner = Txn.values(number), Txn.values(number + 1)
            self.x.begin()
            self.y.begin()
            self.x.send(IN, outer[:Txn.SIZE // 2])
            self.y.send(IN, inner)
            self.x.send(IN, outer[Txn.SIZE // 2:])
            self.end(self.y, number + 1)
            self.end(self.x, number)
        return f"{Txn.ENDS} transactions, each opened within another"

    def fence(self):
        first = self.client.producer("f", TIMEOUT_MS)
        self.open(first, IN, Txn.FENCED)
        self.transact(self.client.producer("f", TIMEOUT_MS), IN, Txn.FENCER)
        return self.refused(first, Txn.FENCED)

    def admin(self):
        self.open(self.x, IN, Txn.OPEN)
        if not self.client.look:
            self.end(self.x, Txn.OPEN)
            return "its admin client knows no transactions"
        note = self.client.look(id_of("x"))
        self.end(self.x, Txn.OPEN)
        await_("it is told as aborted", lambda: self.client.ended(id_of("x")))
        return note

    def timeout(self):
        """A reader of committed records gets past an abandoned transaction only when the broker has ended it."""
        abandoned = self.client.producer("z", SHORT_TIMEOUT_MS)
        self.open(abandoned, IN, Txn.ABANDONED)
        self.transact(self.x, IN, Txn.AFTER)
        self.read("committed", IN, Txn.AFTER, noted=False)
        return self.refused(abandoned, Txn.ABANDONED)

    def batch(self, consumer, producer, commit):
        taken = []
        await_("a batch to transform", lambda: taken.extend(consumer.take(Txn.BATCH)) or taken)
        producer.begin()
        producer.send(OUT, [(partition, Txn.transformed(value)) for partition, _, value in taken])
        producer.offsets({partition: offset + 1 for partition, offset, _ in taken}, consumer)
        producer.end(commit)
        return len(taken)

    def transform(self):
        producer, done, aborted = self.client.producer("transform", TIMEOUT_MS), 0, 0
        for life in range(1, Txn.LIVES + 1):
            consumer = self.client.consumer("committed", GROUP)
            while done < Txn.COMMITTED * life // Txn.LIVES:
                done += self.batch(consumer, producer, True)
            if life < Txn.LIVES:
                aborted += self.batch(consumer, producer, False)
            consumer.close()
        expect(done == Txn.COMMITTED, f"{done} of {Txn.COMMITTED} were handed out")
        self.transact(self.x, OUT, Txn.LAST)
        return f"{done} records, and {aborted} in vain"

    def read(self, isolation, topic, last, noted=True):
        """Reads all partitions of a topic up to the last record of a transaction."""
        wanted, count = last_values(last), 0
        reader = self.client.reader(isolation, topic)

        def all_read():
            nonlocal count
            for partition, offset, value in reader.take(100):
                if noted:
                    self.told.read(isolation, topic, partition, offset, value)
                wanted.discard(value)
                count += 1
            return not wanted

        await_(f"all of {topic} is read {isolation}", all_read)
        reader.close()
        return count

    def readers(self):
        return " ".join(f"{self.read(isolation, IN, Txn.AFTER)}+{self.read(isolation, OUT, Txn.LAST)} {isolation}"
                        for isolation in ("committed", "uncommitted"))
