#!/usr/bin/env python3
"""A worker, as an application would write it: takes records of `source` in a group, and in one transaction
puts each into the same partition of `target` and commits the offsets.

usage: transformer.py BROKER NAME BATCH, in the Python of tests/interop (confluent-kafka). It works until SIGTERM and then
prints one line of JSON: how many transactions it committed, gave up and began again.
"""

import json
import logging
import signal
import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition

BROKER, NAME, BATCH = sys.argv[1], sys.argv[2], int(sys.argv[3])
# The broker is killed all the time: what the library says of it is of no interest. With its own recovery strategy, which is to
# forget a cluster that is down as a whole, librdkafka 2.16 can stay within send_offsets_to_transaction for ever.
PATIENT = {"bootstrap.servers": BROKER, "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 50, "error_cb": lambda _: None,
           "metadata.recovery.strategy": "none"}
QUIET = logging.Logger("transformer", logging.CRITICAL + 1)  # without it librdkafka tells of each producer that is fenced
WAIT_S = 30  # for one try; a retriable failure is tried again without end
told = {"committed": 0, "aborted": 0, "fenced": 0, "stale": 0}
ending = False
# By assigned partition, the offset from which records are ours. A batch of librdkafka 2.16 may begin with records that it had
# fetched under an earlier assignment of the partition, long before: those are stale, and counted.
position = {}


def stop(*_):
    global ending
    ending = True


def insist(call, *arguments):
    while True:
        try:
            return call(*arguments, WAIT_S)
        except KafkaException as problem:
            if ending or not problem.args[0].retriable():
                raise


def new_producer():
    producer = Producer(PATIENT | {"transactional.id": NAME, "transaction.timeout.ms": 30000, "linger.ms": 1}, logger=QUIET)
    insist(producer.init_transactions)
    return producer


def assigned(consumer, partitions):
    places = consumer.committed(partitions, WAIT_S)
    for place in places:
        if place.error:
            raise KafkaException(place.error)
        position[place.partition] = max(0, place.offset)
    consumer.assign([TopicPartition(place.topic, place.partition, place.offset if place.offset >= 0 else OFFSET_BEGINNING)
                     for place in places])


def revoked(consumer, _):
    position.clear()
    consumer.unassign()


def new_consumer():
    position.clear()
    consumer = Consumer(PATIENT | {"group.id": "transformers", "client.id": NAME, "isolation.level": "read_committed",
                                   "auto.offset.reset": "earliest", "enable.auto.commit": False, "session.timeout.ms": 3000,
                                   "heartbeat.interval.ms": 500, "fetch.wait.max.ms": 50}, logger=QUIET)
    consumer.subscribe(["source"], on_assign=assigned, on_revoke=revoked, on_lost=revoked)
    return consumer


def transform(consumer, producer):
    taken = []
    for record in consumer.consume(BATCH, 0.2):
        if record.error():
            raise KafkaException(record.error())
        if record.partition() in position and record.offset() >= position[record.partition()]:
            position[record.partition()] = record.offset() + 1
            taken.append(record)
        else:
            told["stale"] += 1
    if not taken:
        return
    producer.begin_transaction()
    for record in taken:
        producer.produce("target", record.value(), partition=record.partition())
    offsets = {record.partition(): record.offset() + 1 for record in taken}
    places = [TopicPartition("source", partition, offset) for partition, offset in offsets.items()]
    insist(producer.send_offsets_to_transaction, places, consumer.consumer_group_metadata())
    insist(producer.commit_transaction)
    told["committed"] += 1


def recover(producer, error):
    """The producer to go on with after an error: the transaction, if there is one, is given up."""
    if error.txn_requires_abort():
        told["aborted"] += 1
        try:
            insist(producer.abort_transaction)
            return new_producer()  # see ledger.py: this one would number its next records as if some had never been sent
        except KafkaException as worse:
            error = worse.args[0]
    if error.fatal():
        told["fenced"] += 1
        return new_producer()
    return producer


def main():
    signal.signal(signal.SIGTERM, stop)
    producer, consumer = new_producer(), new_consumer()
    while not ending:
        try:
            transform(consumer, producer)
        except (KafkaException, KafkaError) as problem:  # what `assigned` raises comes out of consume() as a bare error
            if ending:
                break
            producer = recover(producer, problem.args[0] if isinstance(problem, KafkaException) else problem)
            consumer.close()  # the next one begins at the committed offsets
            consumer = new_consumer()
    consumer.close()
    print(json.dumps(told), flush=True)


main()
