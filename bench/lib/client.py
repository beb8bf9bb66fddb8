"""What the scenarios ask a broker besides load: topics made, batches written one by one, offsets committed. The same bytes
for every broker.

The protocol pieces come from the interoperability suite's wire client. Every answer is checked: an error
code other than "try again" ends the measurement.
"""

import contextlib
import pathlib
import random
import socket
import struct
import sys
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent.parent / "tests" / "interop" / "driver"))

import wire  # noqa: E402

PRODUCE, PRODUCE_VERSION = 0, 7
CREATE_TOPICS, CREATE_TOPICS_VERSION = 19, 4
CREATE_PARTITIONS = 37
RETRIABLE = {3, 5, 6, 7, 9, 14, 15, 16, 19, 20}
POLICY_VIOLATION = 44
TIMEOUT_MS = 60000


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def varint(number):
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def batch(count, size, seed=1, keys=()):
    """A magic-2 batch of count records with values of size bytes, no compression; without keys or with one for each."""
    source, now, records = random.Random(seed), int(time.time() * 1000), bytearray()
    for index in range(count):
        key = varint(len(keys[index])) + keys[index] if keys else varint(-1)
        body = b"\0" + varint(0) + varint(index) + key + varint(size) + source.randbytes(size) + varint(0)
        records += varint(len(body)) + body
    checked = struct.pack(">hiqqqhii", 0, count - 1, now, now, -1, -1, -1, count) + records
    return struct.pack(">qiibI", 0, len(checked) + 9, 0, 2, wire.crc32c(checked)) + checked


def produce_body(topic, partitions, records):
    head = struct.pack(">hhi", -1, -1, TIMEOUT_MS)  # no transaction, acks=all
    parts = [struct.pack(">ii", p, len(records)) + records for p in partitions]
    return head + wire.array([wire.string(topic) + wire.array(parts)])


def failed_partitions(answer):
    """{partition: error code} of a produce answer, good ones left out."""
    failed = {}

    def partition():
        index, error, _, _, _ = answer.take("ihqqq")
        if error:
            failed[index] = error

    answer.array(lambda: (answer.string(), answer.array(partition)))
    return failed


def create_topic(connection, topic, partitions):
    """0 or the error code."""
    entry = wire.string(topic) + struct.pack(">ihii", partitions, 1, 0, 0)
    answer = connection.ask(CREATE_TOPICS, CREATE_TOPICS_VERSION, wire.array([entry]) + struct.pack(">i?", TIMEOUT_MS, False))
    answer.take("i")
    return answer.array(lambda: (answer.string(), answer.take("h"), answer.string()))[0][1]


def grow_topic(connection, topic, partitions):
    entry = wire.string(topic) + struct.pack(">ii", partitions, -1)
    answer = connection.ask(CREATE_PARTITIONS, 0, wire.array([entry]) + struct.pack(">i?", TIMEOUT_MS, False))
    answer.take("i")
    return answer.array(lambda: (answer.string(), answer.take("h"), answer.string()))[0][1]


def connect(broker, limit_s=300):
    """Tries until the broker accepts."""
    limit = time.monotonic() + limit_s
    while True:
        try:
            connection = wire.Connection(f"127.0.0.1:{broker.port}", timeout=limit_s)
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
        except OSError:
            if time.monotonic() > limit or not broker.alive():
                raise wire.WireError("the broker does not accept connections") from None
            time.sleep(broker.poll_s)


@contextlib.contextmanager
def serving(broker):
    """Launches a broker that does not stay up from the round before, and waits until it serves. Gives a connection, and
    which share of Sizes.first_warm_s it must be warmed: more than none only after a launch."""
    launches = broker.pid is None
    if launches:
        broker.launch()
    with connect(broker) as connection:
        broker.launched()
        yield connection, broker.first_warm_share if launches else 0


def insist(work, done, pause_s, limit_s=90):
    """Repeats work() until done(result); an error code that is no "try again" is the end."""
    limit = time.monotonic() + limit_s
    while True:
        result = work()
        if done(result):
            return result
        if result not in RETRIABLE or time.monotonic() > limit:
            raise wire.WireError(f"error code {result}")
        time.sleep(pause_s)


def make_topic(connection, broker, topic, partitions):
    insist(lambda: create_topic(connection, topic, partitions), lambda code: code == 0, broker.poll_s)


def write(connection, topic, partitions, records, pause_s):
    """One batch into each of the partitions, again where the leader is not there yet."""
    todo, limit = list(partitions), time.monotonic() + 300
    while True:
        failed = failed_partitions(connection.ask(PRODUCE, PRODUCE_VERSION, produce_body(topic, todo, records)))
        if not failed:
            return
        if set(failed.values()) - RETRIABLE or time.monotonic() > limit:
            raise wire.WireError(f"{len(failed)} partitions failed, error codes {sorted(set(failed.values()))[:5]}")
        todo = sorted(failed)
        time.sleep(pause_s)


def first_record(broker):
    """Launches, and the milliseconds from the exec to the first acknowledged record."""
    records = batch(1, 100)
    start = broker.launch()
    with connect(broker) as connection:
        make_topic(connection, broker, "first", 1)
        write(connection, "first", [0], records, broker.poll_s)
        return (time.monotonic() - start) * 1000


def create_many(connection, broker, topic, count):
    """One request; Kafka refuses so many in one, and then gets the second half in another."""
    code = create_topic(connection, topic, count)
    if code == POLICY_VIOLATION or code == -1:
        make_topic(connection, broker, topic, count // 2)
        code = insist(lambda: grow_topic(connection, topic, count), lambda code: code == 0, broker.poll_s)
    if code:
        raise wire.WireError(f"CreateTopics with {count} partitions: error {code}")


def write_many(connection, topic, count, records, pause_s):
    """One batch into each of so many partitions, a thousand in a request."""
    for low in range(0, count, 1000):
        write(connection, topic, range(low, min(low + 1000, count)), records, pause_s)


def must_hold(connection, topic, partitions, records):
    """What was acknowledged is there: the end offsets add up."""
    found = sum(connection.offsets(topic, partitions))
    if found != records:
        raise wire.WireError(f"{topic} holds {found} records, {records} were acknowledged")


FIND_COORDINATOR, OFFSET_COMMIT, OFFSET_FETCH = 10, 8, 9


def find_coordinator(connection, group):
    """0 or the error code."""
    return connection.ask(FIND_COORDINATOR, 0, wire.string(group)).take("h")


def commit(connection, group, topic, partitions, offset):
    """The error codes of a commit of that offset for all the partitions, without a membership; none if all are good."""
    parts = [struct.pack(">iq", p, offset) + wire.string("") for p in partitions]
    body = wire.string(group) + struct.pack(">i", -1) + wire.string("") + struct.pack(">q", -1)
    body += wire.array([wire.string(topic) + wire.array(parts)])
    answer = connection.ask(OFFSET_COMMIT, 2, body)
    codes = answer.array(lambda: (answer.string(), answer.array(lambda: answer.take("ih"))))
    return sorted({code for _, found in codes for _, code in found if code})


def committed(connection, group, topic, partitions):
    """([offset in the order of the partitions], error code)"""
    body = wire.string(group) + wire.array([wire.string(topic) + wire.array([struct.pack(">i", p) for p in partitions])])
    answer = connection.ask(OFFSET_FETCH, 2, body)
    found = answer.array(lambda: (answer.string(), answer.array(lambda: (*answer.take("iq"), answer.string(), answer.take("h")))))
    whole = answer.take("h")
    if whole or not found:  # a coordinator that loads names no topics
        return [], whole
    parts = sorted(found[0][1])
    return [offset for _, offset, _, _ in parts], next((code for *_, code in parts if code), 0)
