"""The scenario with confluent-kafka (a newer librdkafka in C, driven from Python). murmur2 is configured, its default is CRC-32."""

import confluent_txn
import interop
import txn
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import (
    AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec, ResourceType)
from interop import ALL, BROKER, CODECS, PARTITIONS, PREFIX, TOPICS, await_, expect, step, topic

admin = AdminClient({"bootstrap.servers": BROKER})


def results(futures):
    return {name: future.result(90) for name, future in futures.items()}


def create():
    results(admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in TOPICS]))
    interop.settle()
    try:
        results(admin.create_topics([NewTopic(TOPICS[0], 1, 1)]))
    except KafkaException as refused:
        return f"second create refused: {refused.args[0].name()}"
    raise AssertionError("a topic was created twice")


def produce(codec):
    producer = Producer({"bootstrap.servers": BROKER, "compression.type": codec, "linger.ms": 20,
                         "partitioner": "murmur2", "enable.idempotence": True})
    answers = []
    for k, v in interop.records(codec):
        producer.produce(topic(PREFIX, codec), v, k, headers={"suite": "interop"},
                         on_delivery=lambda error, message: answers.append(error))
        producer.poll(0)
    expect(producer.flush(120) == 0, "not all was sent")
    expect(len(answers) == interop.RECORDS and not any(answers), f"errors: {[e for e in answers if e][:1]}")
    return "acks=all, idempotent"


class Member(interop.ThreadMember):
    def work(self):
        self.done, polls = {}, 0
        settings = {"bootstrap.servers": BROKER, "group.id": self.group_id, "client.id": self.name,
                    "group.protocol": "consumer" if self.protocol == "consumer" else "classic",
                    "auto.offset.reset": "earliest", "enable.auto.commit": False, "enable.auto.offset.store": False}
        if self.protocol != "consumer":
            settings |= {"heartbeat.interval.ms": 300, "session.timeout.ms": 30000}
        if self.protocol == "cooperative":
            settings |= {"partition.assignment.strategy": "cooperative-sticky"}
        self.consumer = Consumer(settings)
        self.consumer.subscribe(TOPICS, on_revoke=lambda _, revoked: self.give_up(revoked), on_lost=lambda _, lost: self.done.clear())
        while not self.stopping:
            for r in self.consumer.consume(100, 0.1):
                if self.stopping:
                    break
                if r.error():
                    raise KafkaException(r.error())
                expect(r.headers(), "the header is missing")
                self.done[(r.topic(), r.partition())] = r.offset() + 1
                wait = self.pace.read(self.name, r.topic(), r.partition(), r.offset(), r.key().decode(), r.value().decode())
                if wait:
                    interop.time.sleep(wait)
            polls += 1
            if polls % 10 == 0:
                self.commit(list(self.done))
            self.tell(len(self.consumer.assignment()))
        self.commit(list(self.done))
        while self.done:
            self.consumer.consume(100, 0.1)  # records that come with it are left to the others
            self.commit(list(self.done))
        self.consumer.close()

    def give_up(self, revoked):
        places = [(tp.topic, tp.partition) for tp in revoked]
        self.commit(places)
        for place in places:
            self.done.pop(place, None)  # if that failed the next owner reads them again

    def commit(self, places):
        offsets = [TopicPartition(*place, self.done.pop(place)) for place in places if place in self.done]
        if not offsets:
            return
        try:
            for tp in self.consumer.commit(offsets=offsets, asynchronous=False):
                expect(tp.error is None, f"commit of {tp}: {tp.error}")
                self.committed(tp.topic, tp.partition, tp.offset)
        except KafkaException as refused:
            if refused.args[0].code() not in (KafkaError.REBALANCE_IN_PROGRESS, KafkaError.ILLEGAL_GENERATION):
                raise
            # A cooperative rebalance lets the member read on; what it keeps it commits after it.
            self.done |= {(tp.topic, tp.partition): tp.offset for tp in offsets} | self.done


def describe(group_id):
    members = results(admin.describe_consumer_groups([group_id]))[group_id].members
    expect(len(members) == 1, f"describe shows {len(members)} members, one is alive")
    expect(len(members[0].assignment.topic_partitions) == ALL, "the member's assignment is not shown")
    return "described while alive: 1 member with its assignment"


def topics():
    expect(set(TOPICS) <= set(admin.list_topics(timeout=60).topics), "a topic is not listed")
    for name, found in results(admin.describe_topics(TopicCollection(TOPICS))).items():
        expect(len(found.partitions) == PARTITIONS and found.topic_id is not None, f"{name} has {len(found.partitions)} partitions")
    cluster = admin.describe_cluster().result(60)
    expect(cluster.nodes and cluster.controller is not None, "no nodes or no controller")
    return f"cluster {cluster.cluster_id}"


def groups():
    group_id = interop.group(PREFIX)
    listed = admin.list_consumer_groups().result(60)
    expect(not listed.errors and group_id in [g.group_id for g in listed.valid], f"the group is not listed, {listed.errors}")
    found = results(admin.describe_consumer_groups([group_id]))[group_id]
    expect(not found.members, "members are left")
    return found.state.name


def offsets():
    places = [TopicPartition(name, p) for name in TOPICS for p in range(PARTITIONS)]
    ends = {(tp.topic, tp.partition): r.offset for tp, r in results(admin.list_offsets({tp: OffsetSpec.latest() for tp in places})).items()}
    starts = results(admin.list_offsets({tp: OffsetSpec.for_timestamp(0) for tp in places}))
    expect(all(r.offset == 0 for r in starts.values()), "first by time is not 0")
    group_id = interop.group(PREFIX)
    found = results(admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group_id)]))[group_id].topic_partitions
    expect({(tp.topic, tp.partition): tp.offset for tp in found} == ends, "committed offsets are not the ends")
    return f"{sum(ends.values())} at the end"


def configs():
    name = TOPICS[0]
    change = ConfigEntry("retention.ms", "86400001", incremental_operation=AlterConfigOpType.SET)
    results(admin.incremental_alter_configs([ConfigResource(ResourceType.TOPIC, name, incremental_configs=[change])]))
    interop.settle()
    found = list(results(admin.describe_configs([ConfigResource(ResourceType.TOPIC, name)])).values())[0]
    expect(found["retention.ms"].value == "86400001" and not found["retention.ms"].is_default, "retention.ms was not set")
    return f"{len(found)} topic keys, IncrementalAlterConfigs"


def delete():
    scratch = topic(PREFIX, "scratch")
    results(admin.create_topics([NewTopic(scratch, 1, 1)]))
    interop.settle()
    results(admin.create_partitions([NewPartitions(scratch, 3)]))
    await_("three partitions", lambda: len(admin.list_topics(scratch, 60).topics[scratch].partitions) == 3)
    results(admin.delete_topics([scratch]))
    await_("it is gone", lambda: scratch not in admin.list_topics(timeout=60).topics)
    return "partitions added, topic deleted"


step("create", create)
for each in CODECS:
    step(f"produce.{each}", lambda each=each: produce(each))
interop.run_group(Member, describe=describe)
interop.run_group(Member, "cooperative", "@cooperative", describe)
if interop.KIP848:
    interop.run_group(Member, "consumer", "@consumer", describe)
for each in (topics, groups, offsets, configs, delete):
    step(f"admin.{each.__name__}", each)
txn.Scenario(confluent_txn.Client).run()
interop.finish()
