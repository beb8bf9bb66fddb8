"""confluent-kafka for the transactional scenario (txn.py). Its admin client knows no transactions."""

from confluent_kafka import Consumer, KafkaError, KafkaException, OFFSET_BEGINNING, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from interop import BROKER, expect
from scenario import Txn
from txn import GROUP, IN, id_of

REFUSALS = {KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_TXN_STATE}
LIMIT_S = 90


class TxnProducer:
    def __init__(self, name, timeout_ms):
        self.producer = Producer({"bootstrap.servers": BROKER, "transactional.id": id_of(name), "transaction.timeout.ms": timeout_ms})
        self.producer.init_transactions(LIMIT_S)

    def begin(self):
        self.producer.begin_transaction()

    def send(self, topic, records):
        errors = []
        for partition, value in records:
            self.producer.produce(topic, value, partition=partition, on_delivery=lambda error, _: errors.append(error))
        expect(self.producer.flush(LIMIT_S) == 0 and not any(errors), f"errors: {[e for e in errors if e][:1]}")

    def offsets(self, offsets, consumer):
        places = [TopicPartition(IN, partition, offset) for partition, offset in offsets.items()]
        self.producer.send_offsets_to_transaction(places, consumer.consumer.consumer_group_metadata(), LIMIT_S)

    def end(self, commit):
        (self.producer.commit_transaction if commit else self.producer.abort_transaction)(LIMIT_S)


class TxnConsumer:
    def __init__(self, isolation, group):
        self.consumer = Consumer({"bootstrap.servers": BROKER, "group.id": group, "isolation.level": f"read_{isolation}",
                                  "auto.offset.reset": "earliest", "enable.auto.commit": False, "fetch.wait.max.ms": 100})
        self.close = self.consumer.close

    def take(self, most):
        messages = self.consumer.consume(most, 0.1)
        for message in messages:
            if message.error():
                raise KafkaException(message.error())
        return [(m.partition(), m.offset(), m.value().decode()) for m in messages]


class Client:
    producer = TxnProducer
    look = None

    @staticmethod
    def create(topics):
        admin = AdminClient({"bootstrap.servers": BROKER})
        for future in admin.create_topics([NewTopic(name, Txn.PARTITIONS, 1) for name in topics]).values():
            future.result(LIMIT_S)

    @staticmethod
    def refused(problem):
        return isinstance(problem, KafkaException) and problem.args[0].code() in REFUSALS

    @staticmethod
    def consumer(isolation, group):
        found = TxnConsumer(isolation, group)
        found.consumer.subscribe([IN])
        return found

    @staticmethod
    def reader(isolation, topic):
        found = TxnConsumer(isolation, f"{GROUP}-reader")
        found.consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(Txn.PARTITIONS)])
        return found
