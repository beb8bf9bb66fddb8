#!/usr/bin/env python3
"""Transactional producers that write to `source` what a transformer then takes from there, and remember how each transaction ended.

usage: ledger.py BROKER SEED PARTITIONS FILE, in the Python of tests/interop (confluent-kafka). It works until its standard
input ends; by then the broker must run for good. It appends a line of JSON to FILE for what a transaction's fate is from
now on: [name, fate, how many records it has, for each that was acknowledged partition and offset], the name being
"PRODUCER-NUMBER"; and ["fault", what was wrong] for what it saw itself. What it wrote there in an earlier life, which
something may have ended at any moment, it goes on from. A record's
value is "PRODUCER-NUMBER:INDEX". Fates:

    committed   commit_transaction was acknowledged, and every record before: each is there once, where it was acknowledged
    aborted     abort_transaction was acknowledged, or another producer with the same transactional.id was let in before the
                commit was asked for (fenced): no record is visible
    unknown     an error took the answer, the transaction outlived its time-out, or we did not live to see it: all of it or nothing
"""

import json
import logging
import random
import sys
import threading
import time

from confluent_kafka import KafkaException, Producer

BROKER, SEED, PARTITIONS, FILE = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
PRODUCERS, TIMEOUT_MS = 3, 3000
# See transformer.py.
PATIENT = {"bootstrap.servers": BROKER, "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 50, "error_cb": lambda _: None,
           "metadata.recovery.strategy": "none"}
QUIET = logging.Logger("ledger", logging.CRITICAL + 1)  # without it librdkafka tells of each producer that is fenced
WAIT_S = 30  # for one try; a retriable failure is tried again without end
ending = threading.Event()
book = open(FILE, "a+", buffering=1)
writing = threading.Lock()


def write_down(*line):
    with writing:
        book.write(json.dumps(line) + "\n")


def numbers_used():
    """By producer the number that its next transaction has."""
    used = dict.fromkeys(range(PRODUCERS), 0)
    book.seek(0)
    for name, *_ in map(json.loads, book):
        if name != "fault":
            producer, number = map(int, name.split("-"))
            used[producer] = max(used[producer], number + 1)
    return used


def insist(call):
    while True:
        try:
            return call(WAIT_S)
        except KafkaException as problem:
            if not problem.args[0].retriable():
                raise


class Writer(threading.Thread):
    def __init__(self, number, count):
        super().__init__(daemon=True)
        self.name, self.random = f"ledger-{number}", random.Random((SEED * 100 + number) << 32 | count)
        self.number, self.count = number, count
        self.producer = None
        self.start()

    def run(self):
        try:
            self.producer = self.let_in()
            while not ending.is_set():
                self.transact()
        except Exception as problem:  # told at the end: a writer that stopped early proves nothing
            write_down("fault", f"{self.name} ended: {problem!r}")

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
        write_down(name, "unknown", records, {})
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
            write_down(name, "aborted" if way == "abort" else "committed", records, places)
            if len(places) < records:
                self.producer = self.let_in()  # see there
        except KafkaException as problem:
            self.give_up(name, records, problem.args[0])

    def fence(self, name, records):
        """Another one with our transactional.id is let in; what the old one says then must not be heard."""
        zombie, self.producer = self.producer, self.let_in()
        write_down(name, "aborted", records, {})
        try:
            zombie.produce("source", f"{name}:{records}", partition=0)
            zombie.commit_transaction(WAIT_S)
            write_down("fault", f"{name}: committed by a producer that was fenced")
        except KafkaException:
            pass

    def give_up(self, name, records, error):
        if error.txn_requires_abort():
            try:
                insist(self.producer.abort_transaction)
                write_down(name, "aborted", records, {})
            except KafkaException:
                pass
        self.producer = self.let_in()


writers = [Writer(number, count) for number, count in numbers_used().items()]
print("ready", flush=True)
sys.stdin.read()
ending.set()
deadline = time.monotonic() + 240
for writer in writers:
    writer.join(max(0, deadline - time.monotonic()))
    if writer.is_alive():
        write_down("fault", f"{writer.name} did not end")
