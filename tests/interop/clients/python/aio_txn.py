"""The transactional scenario with aiokafka (its plan: driver/scenario.py, Txn). It knows no group metadata within
transactions (KIP-447): the group is told by its name."""

import asyncio

import interop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import InvalidProducerEpoch, InvalidTxnState, ProducerFenced
from interop import BROKER, expect, step
from scenario import Txn
from txn import FATES, GROUP, IN, OUT, SHORT_TIMEOUT_MS, TIMEOUT_MS, Told, id_of, last_values

LIMIT_S = 120


class Scenario:
    def __init__(self):
        self.told = Told()

    async def producer(self, name, timeout_ms=TIMEOUT_MS):
        producer = AIOKafkaProducer(bootstrap_servers=BROKER, transactional_id=id_of(name), transaction_timeout_ms=timeout_ms)
        await producer.start()
        return producer

    async def send(self, producer, topic, records):
        """Returns when the records are in the log."""
        for answer in [await producer.send(topic, value.encode(), partition=partition) for partition, value in records]:
            await answer

    async def end(self, producer, number):
        await (producer.commit_transaction() if FATES[number] else producer.abort_transaction())
        self.told.end(number)

    async def transact(self, producer, topic, number):
        await producer.begin_transaction()
        await self.send(producer, topic, Txn.values(number))
        await self.end(producer, number)

    async def refused(self, producer, number):
        """A commit that must not succeed any more."""
        try:
            await producer.commit_transaction()
        except (ProducerFenced, InvalidProducerEpoch, InvalidTxnState) as refusal:
            self.told.end(number)
            return type(refusal).__name__
        raise AssertionError(f"transaction {number} was committed")

    async def consumer(self, isolation, *topics, group=None):
        consumer = AIOKafkaConsumer(*topics, bootstrap_servers=BROKER, group_id=group, isolation_level=f"read_{isolation}",
                                    auto_offset_reset="earliest", enable_auto_commit=False, fetch_max_wait_ms=100)
        await consumer.start()
        return consumer

    async def take(self, consumer, most):
        """Some records, at least one."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                found = await consumer.getmany(timeout_ms=100, max_records=most)
                if records := [r for batch in found.values() for r in batch]:
                    return records

    async def read(self, isolation, topic, last, noted=True):
        """Reads all partitions of a topic up to the last record of a transaction."""
        wanted, count = last_values(last), 0
        consumer = await self.consumer(isolation)
        try:
            places = [TopicPartition(topic, p) for p in range(Txn.PARTITIONS)]
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            while wanted:
                for r in await self.take(consumer, 100):
                    value = r.value.decode()
                    if noted:
                        self.told.read(isolation, topic, r.partition, r.offset, value)
                    wanted.discard(value)
                    count += 1
        finally:
            await consumer.stop()
        return count

    async def ends(self):
        for number in range(0, Txn.ENDS, 2):
            outer, inner = Txn.values(number), Txn.values(number + 1)
            await self.x.begin_transaction()
            await self.y.begin_transaction()
            await self.send(self.x, IN, outer[:Txn.SIZE // 2])
            await self.send(self.y, IN, inner)
            await self.send(self.x, IN, outer[Txn.SIZE // 2:])
            await self.end(self.y, number + 1)
            await self.end(self.x, number)
        await self.transact(self.x, IN, Txn.OPEN)
        return f"{Txn.ENDS} transactions, each opened within another"

    async def fence(self):
        first = await self.producer("f")
        await first.begin_transaction()
        await self.send(first, IN, Txn.values(Txn.FENCED))
        second = await self.producer("f")
        await self.transact(second, IN, Txn.FENCER)
        return await self.refused(first, Txn.FENCED)

    async def timeout(self):
        """A reader of committed records gets past an abandoned transaction only when the broker has ended it."""
        abandoned = await self.producer("z", SHORT_TIMEOUT_MS)
        await abandoned.begin_transaction()
        await self.send(abandoned, IN, Txn.values(Txn.ABANDONED))
        await self.transact(self.x, IN, Txn.AFTER)
        await self.read("committed", IN, Txn.AFTER, noted=False)
        return await self.refused(abandoned, Txn.ABANDONED)

    async def batch(self, consumer, producer, commit):
        taken = await self.take(consumer, Txn.BATCH)
        await producer.begin_transaction()
        await self.send(producer, OUT, [(r.partition, Txn.transformed(r.value.decode())) for r in taken])
        await producer.send_offsets_to_transaction({TopicPartition(IN, r.partition): r.offset + 1 for r in taken}, GROUP)
        await (producer.commit_transaction() if commit else producer.abort_transaction())
        return len(taken)

    async def transform(self):
        producer, done, aborted = await self.producer("transform"), 0, 0
        for life in range(1, Txn.LIVES + 1):
            consumer = await self.consumer("committed", IN, group=GROUP)
            try:
                while done < Txn.COMMITTED * life // Txn.LIVES:
                    done += await self.batch(consumer, producer, True)
                if life < Txn.LIVES:
                    aborted += await self.batch(consumer, producer, False)
            finally:
                await consumer.stop()
        expect(done == Txn.COMMITTED, f"{done} of {Txn.COMMITTED} were handed out")
        await self.transact(self.x, OUT, Txn.LAST)
        await producer.stop()
        return f"{done} records, and {aborted} in vain"

    async def readers(self):
        return " ".join([f"{await self.read(isolation, IN, Txn.AFTER)}+{await self.read(isolation, OUT, Txn.LAST)} {isolation}"
                         for isolation in ("committed", "uncommitted")])

    async def create(self):
        admin = AIOKafkaAdminClient(bootstrap_servers=BROKER)
        await admin.start()
        await admin.create_topics([NewTopic(name, Txn.PARTITIONS, 1) for name in (IN, OUT)])
        await admin.close()
        interop.settle()
        self.x, self.y = await self.producer("x"), await self.producer("y")


def run():
    with asyncio.Runner() as loop:  # producers live in one loop from step to step
        scenario = Scenario()
        loop.run(scenario.create())
        for name, work in (("ends", scenario.ends), ("fence", scenario.fence), ("timeout", scenario.timeout),
                           ("transform", scenario.transform), ("read", scenario.readers)):
            if not step(f"txn.{name}", lambda work=work: loop.run(work())):
                break
