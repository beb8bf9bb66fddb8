#!/usr/bin/env python3
"""Transactional producers that write to `source` what a transformer then takes from there, and remember how each transaction ended.

usage: ledger.py BROKER SEED PARTITIONS, in the Python of tests/interop (confluent-kafka). It works until its standard input
ends; by then the broker must run for good. It prints one line of JSON: by transaction "PRODUCER-NUMBER" its fate, how many
records it has, and for each that was acknowledged partition and offset; and the faults that it saw itself. A record's
value is "PRODUCER-NUMBER:INDEX". Fates:

    committed   commit_transaction was acknowledged, and every record before: each is there once, where it was acknowledged
    aborted     abort_transaction was acknowledged, or another producer with the same transactional.id was let in before the
                commit was asked for (fenced): no record is visible
    unknown     an error took the answer, or the transaction outlived its time-out: all of it or nothing
"""

import json
import logging
import random
import sys
import threading
import time

from confluent_kafka import KafkaException, Producer

BROKER, SEED, PARTITIONS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
PRODUCERS, TIMEOUT_MS = 3, 3000
# See transformer.py.
PATIENT = {"bootstrap.servers": BROKER, "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 50, "error_cb": lambda _: None,
           "metadata.recovery.strategy": "none"}
QUIET = logging.Logger("ledger", logging.CRITICAL + 1)  # without it librdkafka tells of each producer that is fenced
WAIT_S = 30  # for one try; a retriable failure is tried again without end
ending = threading.Event()


def insist(call):
    while True:
        try:
            return call(WAIT_S)
        except KafkaException as problem:
            if not problem.args[0].retriable():
                raise


class Writer(threading.Thread):
    def __init__(self, number):
        super().__init__(daemon=True)
        self.name, self.random = f"ledger-{number}", random.Random(SEED * 100 + number)
        self.number, self.count = number, 0
        self.fates, self.faults = {}, []
        self.producer = None
        self.start()

    def run(self):
        try:
            self.producer = self.let_in()
            while not ending.is_set():
                self.transact()
        except Exception as problem:  # told at the end: a writer that stopped early proves nothing
            self.faults.append(f"{self.name} ended: {problem!r}")

    # Also after an abort that left records unanswered: librdkafka 2.16 numbers the records of the next transaction from where
    # those began, in the same epoch. If the broker had one after all, and its answer was lost, it takes the next for the
    # same one sent again, as it must, and acknowledges it where the first one stands. A new epoch makes them distinct.
    def let_in(self):
        while True:
            producer = Producer(PATIENT | {"transactional.id": self.name, "transaction.timeout.ms": TIMEOUT_MS, "linger.ms": 1}, logger=QUIET)
            try:
                insist(producer.init_transactions)
                return producer
            except KafkaException as problem:
                if not problem.args[0].fatal() and not problem.args[0].txn_requires_abort():
                    raise

    def transact(self):
        name, records = f"{self.number}-{self.count}", self.random.randint(1, 40)
        self.count += 1
        way = self.random.choices(["commit", "abort", "fence", "dawdle"], [60, 25, 12, 1])[0]
        places = {}  # index -> where it was acknowledged
        self.fates[name] = ("unknown", records, places)
        try:
            self.producer.begin_transaction()
            for index in range(records):
                self.producer.produce("source", f"{name}:{index}", partition=self.random.randrange(PARTITIONS),
                                      on_delivery=lambda error, m, index=index: error or places.update({index: (m.partition(), m.offset())}))
            self.producer.flush(self.random.choice([0, 0.05, 1]))
            if way == "dawdle":
                ending.wait(1.5 * TIMEOUT_MS / 1000)
            if way == "fence":
                return self.fence(name, records)
            insist(self.producer.abort_transaction if way == "abort" else self.producer.commit_transaction)
            self.producer.poll(0)
            self.fates[name] = ("aborted" if way == "abort" else "committed", records, places)
            if len(places) < records:
                self.producer = self.let_in()  # see there
        except KafkaException as problem:
            self.give_up(name, records, problem.args[0])

    def fence(self, name, records):
        """Another one with our transactional.id is let in; what the old one says then must not be heard."""
        zombie, self.producer = self.producer, self.let_in()
        self.fates[name] = ("aborted", records, {})
        try:
            zombie.produce("source", f"{name}:{records}", partition=0)
            zombie.commit_transaction(WAIT_S)
            self.faults.append(f"{name}: committed by a producer that was fenced")
        except KafkaException:
            pass

    def give_up(self, name, records, error):
        if error.txn_requires_abort():
            try:
                insist(self.producer.abort_transaction)
                self.fates[name] = ("aborted", records, {})
            except KafkaException:
                pass
        self.producer = self.let_in()


writers = [Writer(number) for number in range(PRODUCERS)]
print("ready", flush=True)
sys.stdin.read()
ending.set()
deadline = time.monotonic() + 240
for writer in writers:
    writer.join(max(0, deadline - time.monotonic()))
    if writer.is_alive():
        writer.faults.append(f"{writer.name} did not end")
print(json.dumps({"fates": {name: fate for writer in writers for name, fate in list(writer.fates.items())},
                  "faults": [fault for writer in writers for fault in writer.faults]}), flush=True)
