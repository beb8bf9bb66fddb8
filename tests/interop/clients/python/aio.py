"""The scenario with aiokafka (idempotent producer asked for; murmur2 is its default). Each member has its own event loop."""

import asyncio

import aio_txn
import interop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code
from interop import BROKER, CODECS, PARTITIONS, PREFIX, TOPICS, expect, step, topic


def raise_codes(pairs):
    for name, code, *_ in pairs:
        if code:
            raise for_code(code)(name)


async def with_admin(work):
    admin = AIOKafkaAdminClient(bootstrap_servers=BROKER)
    await admin.start()
    try:
        return await work(admin)
    finally:
        await admin.close()


async def create(admin):
    raise_codes((await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in TOPICS])).topic_errors)
    interop.settle()
    try:
        raise_codes((await admin.create_topics([NewTopic(TOPICS[0], 1, 1)])).topic_errors)
    except TopicAlreadyExistsError as refused:
        return f"second create refused: {type(refused).__name__}"
    raise AssertionError("a topic was created twice")


async def produce(codec):
    producer = AIOKafkaProducer(bootstrap_servers=BROKER, compression_type=None if codec == "none" else codec,
                                linger_ms=20, enable_idempotence=True)
    await producer.start()
    try:
        answers = [await producer.send(topic(PREFIX, codec), key=k.encode(), value=v.encode(), headers=[("suite", b"interop")])
                   for k, v in interop.records(codec)]
        for answer in answers:
            expect((await answer).offset >= 0, "no offset came back")
    finally:
        await producer.stop()
    return "acks=all, idempotent"


class Member(interop.ThreadMember, ConsumerRebalanceListener):
    def work(self):
        asyncio.run(self.consume())

    async def consume(self):
        self.done, self.epoch = {}, 0
        self.consumer = AIOKafkaConsumer(
            bootstrap_servers=BROKER, group_id=self.group_id, client_id=self.name, auto_offset_reset="earliest",
            enable_auto_commit=False, heartbeat_interval_ms=300, session_timeout_ms=30000)
        self.consumer.subscribe(TOPICS, listener=self)
        await self.consumer.start()
        try:
            polls = 0
            while not self.stopping:
                batches = await self.consumer.getmany(timeout_ms=100, max_records=100)
                epoch = self.epoch
                for batch in batches.values():
                    for r in batch:
                        if self.stopping or epoch != self.epoch:
                            break  # a rebalance runs beside us; what was not read before it belongs to the next owner
                        expect(r.headers, "the header is missing")
                        self.done[TopicPartition(r.topic, r.partition)] = r.offset + 1
                        wait = self.pace.read(self.name, r.topic, r.partition, r.offset, r.key.decode(), r.value.decode())
                        if wait:
                            await asyncio.sleep(wait)
                polls += 1
                if polls % 10 == 0:
                    await self.commit(list(self.done))
                self.tell(len(self.consumer.assignment()))
            await self.commit(list(self.done))
        finally:
            await self.consumer.stop()

    async def commit(self, places):
        offsets = {place: self.done.pop(place) for place in places if place in self.done}
        if offsets:
            await self.consumer.commit(offsets)
            for place, offset in offsets.items():
                self.committed(place.topic, place.partition, offset)

    async def on_partitions_revoked(self, revoked):
        self.epoch += 1
        await self.commit(revoked)

    async def on_partitions_assigned(self, assigned):
        pass


async def describe(admin, group_id):
    members = (await admin.describe_consumer_groups([group_id]))[0].groups[0][5]
    expect(len(members) == 1, f"describe shows {len(members)} members, one is alive")
    return "described while alive: 1 member"


async def topics(admin):
    expect(set(TOPICS) <= set(await admin.list_topics()), "a topic is not listed")
    for found in await admin.describe_topics(TOPICS):
        expect(len(found["partitions"]) == PARTITIONS, f"{found['topic']} has {len(found['partitions'])} partitions")
    cluster = await admin.describe_cluster()
    expect(cluster["brokers"], "no brokers")
    return f"cluster {cluster['cluster_id']}"


async def groups(admin):
    group_id = interop.group(PREFIX)
    expect(group_id in [name for name, _ in await admin.list_consumer_groups()], "the group is not listed")
    found = (await admin.describe_consumer_groups([group_id]))[0].groups[0]
    expect(not found[5], "members are left")
    return found[2]


async def offsets(admin):
    places = [TopicPartition(name, p) for name in TOPICS for p in range(PARTITIONS)]
    consumer = AIOKafkaConsumer(bootstrap_servers=BROKER)
    await consumer.start()
    try:
        ends, starts = await consumer.end_offsets(places), await consumer.offsets_for_times({place: 0 for place in places})
    finally:
        await consumer.stop()
    committed = await admin.list_consumer_group_offsets(interop.group(PREFIX))
    for place in places:
        expect(committed[place].offset == ends[place], f"lag in {place}")
        expect(starts[place].offset == 0, f"first by time is {starts[place].offset} in {place}")
    return f"{sum(ends.values())} at the end"


async def configs(admin):
    answers = await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, TOPICS[0], {"retention.ms": "86400001"})])
    raise_codes((r[3], r[0]) for answer in answers for r in answer.resources)
    interop.settle()
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, TOPICS[0])])
    found = {entry[0]: entry[1] for entry in answers[0].resources[0][4]}
    expect(found["retention.ms"] == "86400001", f"retention.ms is {found['retention.ms']}")
    return f"{len(found)} topic keys, AlterConfigs"


async def delete(admin):
    scratch = topic(PREFIX, "scratch")
    raise_codes((await admin.create_topics([NewTopic(scratch, 1, 1)])).topic_errors)
    interop.settle()
    raise_codes((await admin.create_partitions({scratch: NewPartitions(3)})).topic_errors)
    await asyncio.sleep(0.2)
    expect(len((await admin.describe_topics([scratch]))[0]["partitions"]) == 3, "not three partitions")
    raise_codes((await admin.delete_topics([scratch])).topic_error_codes)
    await asyncio.sleep(0.2)
    expect(scratch not in await admin.list_topics(), "it is still listed")
    return "partitions added, topic deleted"


step("create", lambda: asyncio.run(with_admin(create)))
for each in CODECS:
    step(f"produce.{each}", lambda each=each: asyncio.run(produce(each)))
interop.run_group(Member, describe=lambda group_id: asyncio.run(with_admin(lambda admin: describe(admin, group_id))))
for each in (topics, groups, offsets, configs, delete):
    step(f"admin.{each.__name__}", lambda each=each: asyncio.run(with_admin(each)))
aio_txn.run()
interop.finish()
