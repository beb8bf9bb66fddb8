#!/usr/bin/env python3
"""Puts numbered records into `source`, number n into partition n % PARTITIONS.

usage: fill.py BROKER RECORDS PARTITIONS, in the Python of tests/interop (confluent-kafka). Ends with 1 when one is not acknowledged.
"""

import sys

from confluent_kafka import Producer

broker, records, partitions = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
errors = []
producer = Producer({"bootstrap.servers": broker, "enable.idempotence": True, "linger.ms": 20, "queue.buffering.max.messages": 1000000})
for number in range(records):
    while True:
        try:
            producer.produce("source", str(number), partition=number % partitions, on_delivery=lambda e, _: e and errors.append(e))
            break
        except BufferError:
            producer.poll(0.1)
    if number % 1000 == 0:
        producer.poll(0)
sys.exit(1 if producer.flush(300) or errors else 0)
