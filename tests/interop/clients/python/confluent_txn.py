"""The transactional scenario with confluent-kafka (its plan: driver/scenario.py, Txn)."""

import interop
from confluent_kafka import Consumer, KafkaError, KafkaException, OFFSET_BEGINNING, Producer, TopicPartition
from confluent_kafka.admin import NewTopic
from interop import BROKER, await_, expect, step
from scenario import Txn
from txn import FATES, GROUP, IN, OUT, Told, id_of, last_values

told = Told()
REFUSALS = {KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_TXN_STATE}


def new_producer(name, timeout_ms=60000):
    producer = Producer({"bootstrap.servers": BROKER, "transactional.id": id_of(name), "transaction.timeout.ms": timeout_ms})
    producer.init_transactions(90)
    return producer


def send(producer, topic, records):
    """Returns when the records are in the log."""
    errors = []
    for partition, value in records:
        producer.produce(topic, value, partition=partition, on_delivery=lambda error, _: errors.append(error))
    expect(producer.flush(90) == 0 and not any(errors), f"errors: {[e for e in errors if e][:1]}")


def end(producer, number):
    if FATES[number]:
        producer.commit_transaction(90)
    else:
        producer.abort_transaction(90)
    told.end(number, Txn.PLAN[number])


def transact(producer, topic, number):
    producer.begin_transaction()
    send(producer, topic, Txn.values(number))
    end(producer, number)


def refused(work, number):
    """A commit that must not succeed any more."""
    try:
        work()
    except KafkaException as refusal:
        error = refusal.args[0]
        expect(error.code() in REFUSALS, f"refused with {error}")
        told.end(number, Txn.PLAN[number])
        return error.name()
    raise AssertionError(f"transaction {number} was committed")


def consumer_of(isolation, group):
    return Consumer({"bootstrap.servers": BROKER, "group.id": group, "isolation.level": f"read_{isolation}",
                     "auto.offset.reset": "earliest", "enable.auto.commit": False, "fetch.wait.max.ms": 100})


def sound(messages):
    for message in messages:
        if message.error():
            raise KafkaException(message.error())
    return messages


def read(isolation, topic, last, noted=True):
    """Reads all partitions of a topic up to the last record of a transaction."""
    wanted, count = last_values(last), 0
    consumer = consumer_of(isolation, f"{GROUP}-reader")
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(Txn.PARTITIONS)])

    def all_read():
        nonlocal count
        for r in sound(consumer.consume(100, 0.1)):
            value = r.value().decode()
            if noted:
                told.read(isolation, topic, r.partition(), r.offset(), value)
            wanted.discard(value)
            count += 1
        return not wanted

    await_(f"all of {topic} is read {isolation}", all_read)
    consumer.close()
    return count


def create(admin):
    for future in admin.create_topics([NewTopic(name, Txn.PARTITIONS, 1) for name in (IN, OUT)]).values():
        future.result(90)
    interop.settle()


def ends():
    for number in range(0, Txn.ENDS, 2):
        outer, inner = Txn.values(number), Txn.values(number + 1)
        x.begin_transaction()
        y.begin_transaction()
        send(x, IN, outer[:Txn.SIZE // 2])
        send(y, IN, inner)
        send(x, IN, outer[Txn.SIZE // 2:])
        end(y, number + 1)
        end(x, number)
    transact(x, IN, Txn.OPEN)
    return f"{Txn.ENDS} transactions, each opened within another"


def fence():
    first = new_producer("f")
    first.begin_transaction()
    send(first, IN, Txn.values(Txn.FENCED))
    transact(new_producer("f"), IN, Txn.FENCER)
    return refused(lambda: first.commit_transaction(90), Txn.FENCED)


def timeout():
    """A reader of committed records gets past an abandoned transaction only when the broker has ended it."""
    abandoned = new_producer("z", 1000)
    abandoned.begin_transaction()
    send(abandoned, IN, Txn.values(Txn.ABANDONED))
    transact(x, IN, Txn.AFTER)
    read("committed", IN, Txn.AFTER, noted=False)
    return refused(lambda: abandoned.commit_transaction(90), Txn.ABANDONED)


def batch(consumer, producer, commit):
    taken = []
    await_("a batch to transform", lambda: taken.extend(sound(consumer.consume(Txn.BATCH, 0.1))) or taken)
    producer.begin_transaction()
    send(producer, OUT, [(r.partition(), Txn.transformed(r.value().decode())) for r in taken])
    offsets = {r.partition(): r.offset() + 1 for r in taken}
    producer.send_offsets_to_transaction([TopicPartition(IN, p, o) for p, o in offsets.items()], consumer.consumer_group_metadata(), 90)
    if commit:
        producer.commit_transaction(90)
    else:
        producer.abort_transaction(90)
    return len(taken)


def transform():
    producer, done, aborted = new_producer("transform"), 0, 0
    for life in range(1, Txn.LIVES + 1):
        consumer = consumer_of("committed", GROUP)
        consumer.subscribe([IN])
        while done < Txn.COMMITTED * life // Txn.LIVES:
            done += batch(consumer, producer, True)
        if life < Txn.LIVES:
            aborted += batch(consumer, producer, False)
        consumer.close()
    expect(done == Txn.COMMITTED, f"{done} of {Txn.COMMITTED} were handed out")
    transact(x, OUT, Txn.LAST)
    return f"{done} records, and {aborted} in vain"


def readers():
    return " ".join(f"{read(isolation, IN, Txn.AFTER)}+{read(isolation, OUT, Txn.LAST)} {isolation}"
                    for isolation in ("committed", "uncommitted"))


def run(admin):
    global x, y
    create(admin)
    x, y = new_producer("x"), new_producer("y")
    for work in (ends, fence, timeout, transform, readers):
        if not step(f"txn.{'read' if work is readers else work.__name__}", work):
            break
