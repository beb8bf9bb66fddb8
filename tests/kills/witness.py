#!/usr/bin/env python3
"""Remembers what a broker acknowledged while it is killed again and again, and in the end asks for all of it back.

usage: witness.py BROKER, in the Python of tests/interop (confluent-kafka). It works until its standard input ends; by then the
broker must run for good. It prints one line of JSON: what was acknowledged, and what of it is not there.

    records   acks=1 and not idempotent: each acknowledged number must stand at the very offset that its answer named. It may
              stand elsewhere too, as such a producer sends again when an answer is lost
    commits   of one group, for four partitions, always forward: what is committed in the end is the last acknowledged one or,
              where the answer to a later one was lost, that one
    topics    created with a setting of their own, every third of them deleted again: there with the setting, or not there
"""

import collections
import json
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

BROKER = sys.argv[1]
TOPIC, GROUP, PARTITIONS = "witness", "witness", 4
PATIENT = {"bootstrap.servers": BROKER, "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 50}
WAIT_S = 120  # for one answer of the admin or of the last questions; ends what hangs
quiet = {"error_cb": lambda _: None, "log_level": 0}  # it is killed all the time
ending = threading.Event()
faults, problems = [], []


class Work(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self.start()

    def run(self):
        try:
            while not ending.is_set():
                self.turn()
            self.finish()
        except Exception as problem:  # told at the end: a witness that stopped early proves nothing
            problems.append(f"{type(self).__name__}: {problem!r}")

    def finish(self):
        pass


class Records(Work):
    def __init__(self):
        self.count, self.acknowledged = 0, {}
        self.producer = Producer(PATIENT | quiet | {"acks": 1, "linger.ms": 1, "message.timeout.ms": 300000})
        super().__init__()

    def turn(self):
        for _ in range(20):
            number = self.count
            try:
                self.producer.produce(TOPIC, str(number).encode(), partition=number % PARTITIONS,
                                      on_delivery=lambda error, m, number=number: self.answered(error, m, number))
            except BufferError:
                break  # the broker is slow, or away for long
            self.count += 1
        self.producer.poll(0.005)

    def answered(self, error, message, number):
        if error:
            problems.append(f"record {number}: {error}")
            return
        place = (message.partition(), message.offset())
        if place in self.acknowledged:
            faults.append(f"records {self.acknowledged[place]} and {number} were both acknowledged at {place}")
        self.acknowledged[place] = number

    def finish(self):
        if self.producer.flush(WAIT_S):
            problems.append("not every record was answered")

    def check(self):
        consumer = Consumer(PATIENT | quiet | {"group.id": "reader", "enable.auto.commit": False})
        consumer.assign([TopicPartition(TOPIC, p, 0) for p in range(PARTITIONS)])
        ends = {p: consumer.get_watermark_offsets(TopicPartition(TOPIC, p), timeout=WAIT_S)[1] for p in range(PARTITIONS)}
        found, left, limit = {}, {p for p in ends if ends[p]}, time.monotonic() + WAIT_S
        while left and time.monotonic() < limit:
            for m in consumer.consume(1000, timeout=1):
                if not m.error():
                    found[(m.partition(), m.offset())] = int(m.value())
                    if m.offset() + 1 >= ends[m.partition()]:
                        left.discard(m.partition())
        consumer.close()
        wrong = [f"record {number} was acknowledged at {place}, there is {found.get(place)}"
                 for place, number in self.acknowledged.items() if found.get(place) != number]
        faults.extend(wrong[:5] + ([f"{len(wrong)} acknowledged records are not there"] if wrong else []))


class Commits(Work):
    def __init__(self):
        self.asked, self.acknowledged = collections.Counter(), collections.Counter()
        self.consumer = Consumer(PATIENT | quiet | {"group.id": GROUP, "enable.auto.commit": False})
        super().__init__()

    def turn(self):
        for partition in range(PARTITIONS):
            self.asked[partition] += 1
            try:
                self.consumer.commit(offsets=[TopicPartition(TOPIC, partition, self.asked[partition])], asynchronous=False)
                self.acknowledged[partition] = self.asked[partition]
            except KafkaException:
                pass  # killed in between: nothing was promised
        time.sleep(0.005)

    def check(self):
        for place in self.consumer.committed([TopicPartition(TOPIC, p) for p in range(PARTITIONS)], timeout=WAIT_S):
            p = place.partition
            if not self.acknowledged[p] <= place.offset <= self.asked[p]:
                faults.append(f"partition {p}: committed is {place.offset}, {self.acknowledged[p]} was acknowledged, {self.asked[p]} asked for")


class Topics(Work):
    def __init__(self):
        self.count, self.made, self.deleted, self.unknown = 0, set(), set(), set()
        self.admin = AdminClient(PATIENT | quiet)
        super().__init__()

    def turn(self):
        name, self.count = f"made-{self.count}", self.count + 1
        self.unknown.add(name)  # until an answer says otherwise
        settings = {"retention.ms": str(86_400_000 + int(name.removeprefix("made-")))}
        if self.answered(self.admin.create_topics([NewTopic(name, 2, 1, config=settings)], request_timeout=5), name):
            self.made.add(name)
            self.unknown.discard(name)
            if self.count % 3 == 0:
                self.made.discard(name)
                self.unknown.add(name)
                if self.answered(self.admin.delete_topics([name], request_timeout=5), name):
                    self.deleted.add(name)
                    self.unknown.discard(name)
        ending.wait(0.05)

    @staticmethod
    def answered(futures, name):
        try:
            futures[name].result(WAIT_S)
            return True
        except KafkaException as refused:
            if refused.args[0].code() in (KafkaError.TOPIC_ALREADY_EXISTS, KafkaError.UNKNOWN_TOPIC_OR_PART):
                return True  # asked twice by the client: it is so
            return False

    def check(self):
        there = set(self.admin.list_topics(timeout=WAIT_S).topics)
        faults.extend(f"topic {name} was acknowledged and is not there" for name in sorted(self.made - there))
        faults.extend(f"topic {name} was deleted and is there" for name in sorted(self.deleted & there))
        resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in sorted(self.made & there)]
        for resource, future in self.admin.describe_configs(resources, request_timeout=WAIT_S).items() if resources else ():
            wanted = str(86_400_000 + int(resource.name.removeprefix("made-")))
            value = future.result(WAIT_S)["retention.ms"].value
            if value != wanted:
                faults.append(f"topic {resource.name}: retention.ms is {value}, {wanted} was acknowledged")


admin = AdminClient(PATIENT | quiet)
admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result(WAIT_S)
print("ready", flush=True)
records, commits, topics = Records(), Commits(), Topics()
sys.stdin.read()
ending.set()
for work in (records, commits, topics):
    work.join(2 * WAIT_S)
    if work.is_alive():
        problems.append(f"{type(work).__name__} did not end")
for work in (records, commits, topics):
    try:
        work.check()
    except KafkaException as problem:
        faults.append(f"{type(work).__name__}: {problem}")
print(json.dumps({"records": len(records.acknowledged), "commits": sum(commits.acknowledged.values()), "topics": len(topics.made),
                  "deleted": len(topics.deleted), "faults": faults + problems}), flush=True)
