"""The scenario with kafka-python; everything at its defaults (idempotent producer, murmur2) unless said."""

import interop
import kafkapython_txn
import txn
from interop import BROKER, CODECS, PARTITIONS, PREFIX, TOPICS, await_, expect, step, topic
from kafka import AsyncConsumerRebalanceListener, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import TopicAlreadyExistsError
from kafka.protocol.consumer import OffsetSpec
from kafka.structs import OffsetAndMetadata

admin = KafkaAdminClient(bootstrap_servers=BROKER)


def create():
    admin.create_topics({name: {"num_partitions": PARTITIONS, "replication_factor": 1} for name in TOPICS})
    interop.settle()
    try:
        admin.create_topics({TOPICS[0]: {"num_partitions": 1, "replication_factor": 1}})
    except TopicAlreadyExistsError as refused:
        return f"second create refused: {type(refused).__name__}"
    raise AssertionError("a topic was created twice")


def produce(codec):
    producer = KafkaProducer(bootstrap_servers=BROKER, compression_type=None if codec == "none" else codec, linger_ms=20)
    answers = [producer.send(topic(PREFIX, codec), key=k.encode(), value=v.encode(), headers=[("suite", b"interop")])
               for k, v in interop.records(codec)]
    producer.flush(120)
    expect(all(answer.get(1).offset >= 0 for answer in answers), "no offset came back")
    producer.close()
    return "acks=all, idempotent"


class Member(interop.ThreadMember, AsyncConsumerRebalanceListener):
    def work(self):
        self.done = {}
        self.consumer = KafkaConsumer(
            bootstrap_servers=BROKER, group_id=self.group_id, client_id=self.name, auto_offset_reset="earliest",
            enable_auto_commit=False, max_poll_records=100, heartbeat_interval_ms=300, session_timeout_ms=30000)
        self.consumer.subscribe(TOPICS, listener=self)
        polls = 0
        while not self.stopping:
            # A poll that ends in the middle of a join loses the join's answer (3.0.12): no short ones.
            for batch in self.consumer.poll(5000).values():
                for r in batch:
                    if self.stopping:
                        break
                    expect(r.headers, "the header is missing")
                    self.done[TopicPartition(r.topic, r.partition)] = r.offset + 1
                    wait = self.pace.read(self.name, r.topic, r.partition, r.offset, r.key.decode(), r.value.decode())
                    if wait:
                        interop.time.sleep(wait)
            polls += 1
            if polls % 10 == 0:
                self.commit(list(self.done))
            self.tell(len(self.consumer.assignment()))
        self.commit(list(self.done))
        self.consumer.close(autocommit=False)

    def take(self, places):
        return {place: OffsetAndMetadata(self.done.pop(place), "", -1) for place in places if place in self.done}

    def note(self, offsets):
        for place, offset in offsets.items():
            self.committed(place.topic, place.partition, offset.offset)

    def commit(self, places):
        offsets = self.take(places)
        if offsets:
            self.consumer.commit(offsets)
            self.note(offsets)

    async def on_partitions_revoked(self, revoked):
        offsets = self.take(revoked)
        if offsets:  # a blocking commit is refused in here
            await self.consumer.commit_async(offsets)
            self.note(offsets)

    async def on_partitions_assigned(self, assigned):
        pass


def describe(group_id):
    members = admin.describe_groups([group_id])[group_id]["members"]
    expect(len(members) == 1, f"describe shows {len(members)} members, one is alive")
    return "described while alive: 1 member"


def topics():
    expect(set(TOPICS) <= set(admin.list_topics()), "a topic is not listed")
    for found in admin.describe_topics(TOPICS):
        expect(len(found["partitions"]) == PARTITIONS, f"{found['name']} has {len(found['partitions'])} partitions")
    cluster = admin.describe_cluster()
    expect(cluster["brokers"], "no brokers")
    return f"cluster {cluster['cluster_id']}"


def groups():
    group_id = interop.group(PREFIX)
    expect(group_id in [g["group_id"] for g in admin.list_groups()], "the group is not listed")
    found = admin.describe_groups([group_id])[group_id]
    expect(not found["members"], "members are left")
    return found["group_state"]


def offsets():
    places = [TopicPartition(name, p) for name in TOPICS for p in range(PARTITIONS)]
    ends = admin.list_partition_offsets({place: OffsetSpec.LATEST for place in places})
    starts = admin.list_partition_offsets({place: 0 for place in places})
    group_id = interop.group(PREFIX)
    committed = admin.list_group_offsets({group_id: None})[group_id]
    for place in places:
        expect(committed[place].offset == ends[place].offset, f"lag in {place}")
        expect(starts[place].offset == 0, f"first by time is {starts[place].offset} in {place}")
    return f"{sum(end.offset for end in ends.values())} at the end"


def configs():
    name = TOPICS[0]
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, {"retention.ms": "86400001"})])
    interop.settle()
    found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)], config_filter="all")["topic"][name]
    expect(found["retention.ms"]["value"] == "86400001", f"retention.ms is {found['retention.ms']}")
    return f"{len(found)} topic keys, retention.ms from {found['retention.ms']['config_source']}"


def delete():
    scratch = topic(PREFIX, "scratch")
    admin.create_topics({scratch: {"num_partitions": 1, "replication_factor": 1}})
    admin.create_partitions({scratch: 3})
    await_("three partitions", lambda: len(admin.describe_topics([scratch])[0]["partitions"]) == 3)
    admin.delete_topics([scratch])
    await_("it is gone", lambda: scratch not in admin.list_topics())
    return "partitions added, topic deleted"


step("create", create)
for each in CODECS:
    step(f"produce.{each}", lambda each=each: produce(each))
interop.run_group(Member, describe=describe)
for each in (topics, groups, offsets, configs, delete):
    step(f"admin.{each.__name__}", each)
txn.Scenario(kafkapython_txn.Client).run()
interop.finish()
