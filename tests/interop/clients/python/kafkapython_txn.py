"""kafka-python for the transactional scenario (txn.py)."""

from interop import BROKER, expect
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import InvalidProducerEpochError, InvalidTxnStateError, ProducerFencedError
from kafka.structs import OffsetAndMetadata
from scenario import Txn
from txn import IN, TIMEOUT_MS, id_of

LIMIT_S = 90
admin = KafkaAdminClient(bootstrap_servers=BROKER)


class TxnProducer:
    def __init__(self, name, timeout_ms):
        self.producer = KafkaProducer(bootstrap_servers=BROKER, transactional_id=id_of(name), transaction_timeout_ms=timeout_ms)
        self.producer.init_transactions()

    def begin(self):
        self.producer.begin_transaction()

    def send(self, topic, records):
        for answer in [self.producer.send(topic, value.encode(), partition=partition) for partition, value in records]:
            answer.get(LIMIT_S)

    def offsets(self, offsets, consumer):
        places = {TopicPartition(IN, partition): OffsetAndMetadata(offset, "", -1) for partition, offset in offsets.items()}
        self.producer.send_offsets_to_transaction(places, consumer.consumer.group_metadata())

    def end(self, commit):
        (self.producer.commit_transaction if commit else self.producer.abort_transaction)()


class TxnConsumer:
    def __init__(self, isolation, group):
        self.consumer = KafkaConsumer(bootstrap_servers=BROKER, group_id=group, isolation_level=f"read_{isolation}",
                                      auto_offset_reset="earliest", enable_auto_commit=False, fetch_max_wait_ms=100)

    def take(self, most):
        # A poll that ends in the middle of a join loses the join's answer (3.0.12): no short ones.
        found = self.consumer.poll(5000, max_records=most)
        return [(r.partition, r.offset, r.value.decode()) for batch in found.values() for r in batch]

    def close(self):
        self.consumer.close(autocommit=False)


class Client:
    producer = TxnProducer

    @staticmethod
    def create(topics):
        admin.create_topics({name: {"num_partitions": Txn.PARTITIONS, "replication_factor": 1} for name in topics})

    @staticmethod
    def refused(problem):
        return isinstance(problem, (ProducerFencedError, InvalidProducerEpochError, InvalidTxnStateError))

    @staticmethod
    def consumer(isolation, group):
        found = TxnConsumer(isolation, group)
        found.consumer.subscribe([IN])
        return found

    @staticmethod
    def reader(isolation, topic):
        found, places = TxnConsumer(isolation, None), [TopicPartition(topic, p) for p in range(Txn.PARTITIONS)]
        found.consumer.assign(places)
        found.consumer.seek_to_beginning(*places)
        return found

    @staticmethod
    def look(transactional_id):
        """Lists and describes an open transaction, and its producer in each partition."""
        listed = [t for found in admin.list_transactions(state_filters=["Ongoing"]).values() for t in found]
        expect(transactional_id in [t.transactional_id for t in listed], f"listed as ongoing: {listed}")
        found = admin.describe_transactions([transactional_id])[transactional_id]
        places = {TopicPartition(IN, p) for p in range(Txn.PARTITIONS)}
        expect(found.state == "Ongoing" and found.topic_partitions == places and found.transaction_timeout_ms == TIMEOUT_MS,
               f"described: {found}")
        for place, state in admin.describe_producers(sorted(places)).items():
            starts = [p.current_transaction_start_offset for p in state.active_producers if p.producer_id == found.producer_id]
            expect(starts and starts[0] >= 0, f"producers of {place}: {state.active_producers}")
        return f"open: {len(places)} partitions"

    @staticmethod
    def ended(transactional_id):
        return admin.describe_transactions([transactional_id])[transactional_id].state == "CompleteAbort"
