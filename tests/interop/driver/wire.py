"""A very small reader of the Kafka protocol, standard library only.

The judge uses it to look at what a broker really stored, behind no client's back: raw record
batches (codec, CRC, offsets, counts), end offsets, committed offsets. It speaks only old,
non-flexible versions that every current broker offers. It must never be used by a client program
to do its own work, with one exception: kcat has no way to ask for committed offsets.
"""

import dataclasses
import socket
import struct
import time

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
RETRIABLE = {5, 6, 14, 15, 16}  # leader or coordinator not there yet


class WireError(Exception):
    pass


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        values = struct.unpack_from(">" + form, self.data, self.at)
        self.at += struct.calcsize(">" + form)
        return values[0] if len(values) == 1 else values

    def raw(self, size):
        if size < 0:
            return None
        piece = self.data[self.at:self.at + size]
        if len(piece) != size:
            raise WireError(f"answer ends {size - len(piece)} bytes early")
        self.at += size
        return piece

    def string(self):
        piece = self.raw(self.take("h"))
        return None if piece is None else piece.decode()

    def array(self, read):
        return [read() for _ in range(max(0, self.take("i")))]


def string(text):
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def array(items):
    return struct.pack(">i", len(items)) + b"".join(items)


def join(host, port):
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Connection:
    def __init__(self, broker, timeout=20):
        host, port = broker.rsplit(":", 1)
        self.socket = socket.create_connection((host.strip("[]"), int(port)), timeout)
        self.correlation = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _exactly(self, size):
        parts = bytearray()
        while len(parts) < size:
            piece = self.socket.recv(min(size - len(parts), 1 << 20))
            if not piece:
                raise WireError("the broker closed the connection")
            parts += piece
        return bytes(parts)

    def ask(self, key, version, body):
        self.correlation += 1
        head = struct.pack(">hhi", key, version, self.correlation) + string("interop-judge")
        self.socket.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
        answer = Reader(self._exactly(struct.unpack(">i", self._exactly(4))[0]))
        if answer.take("i") != self.correlation:
            raise WireError("correlation id of another request")
        return answer

    def api_versions(self):
        """{api key: (min, max)}"""
        answer = self.ask(18, 0, b"")
        if answer.take("h") != 0:
            raise WireError("ApiVersions v0 failed")
        return {key: (low, high) for key, low, high in answer.array(lambda: answer.take("hhh"))}

    def brokers(self):
        """["host:port"] as this listener tells them"""
        a = self.ask(3, 1, array([]))
        return [join(host, port) for _, host, port, _ in a.array(lambda: (a.take("i"), a.string(), a.take("i"), a.string()))]

    def coordinator(self, group):
        """"host:port" of a group's coordinator as this listener tells it"""
        for _ in range(40):
            a = self.ask(10, 0, string(group))
            error, _, host, port = a.take("h"), a.take("i"), a.string(), a.take("i")
            if error not in RETRIABLE:
                break
            time.sleep(0.25)
        if error:
            raise WireError(f"FindCoordinator {group}: error {error}")
        return join(host, port)

    def topics(self):
        """{topic: partition count}, internal topics included"""
        a = self.ask(3, 1, struct.pack(">i", -1))
        a.array(lambda: (a.take("i"), a.string(), a.take("i"), a.string()))
        a.take("i")

        def partition():
            a.take("hii")
            a.array(lambda: a.take("i"))
            a.array(lambda: a.take("i"))

        def topic():
            error, name, _ = a.take("h"), a.string(), a.take("b")
            return name, len(a.array(partition)), error

        return {name: count for name, count, error in a.array(topic) if error == 0}

    def offsets(self, topic, partitions, timestamp=-1, isolation=0):
        """[offset] by partition; -1 is the end (with isolation 1 the last stable offset), -2 the start"""
        body = struct.pack(">ib", -1, isolation) + array([string(topic) + array(
            [struct.pack(">iq", p, timestamp) for p in range(partitions)])])
        a = self.ask(2, 2, body)
        a.take("i")
        found = {}

        def partition():
            index, error, _, offset = a.take("ihqq")
            if error:
                raise WireError(f"ListOffsets {topic}-{index}: error {error}")
            found[index] = offset

        a.array(lambda: (a.string(), a.array(partition)))
        return [found[p] for p in range(partitions)]

    def fetch(self, topic, partition, offset):
        """(high watermark, raw bytes)"""
        high, _, _, data = self._fetch(topic, partition, offset, 0)
        return high, data

    def fetch_committed(self, topic, partition, offset):
        """(last stable offset, [(producer id, first offset)] of aborted transactions, raw bytes)"""
        _, stable, aborted, data = self._fetch(topic, partition, offset, 1)
        return stable, aborted, data

    def _fetch(self, topic, partition, offset, isolation):
        body = struct.pack(">iiiibii", -1, 500, 1, 16 << 20, isolation, 0, -1) + array(
            [string(topic) + array([struct.pack(">iiqqi", partition, -1, offset, -1, 4 << 20)])]) + array([])
        a = self.ask(1, 10, body)
        a.take("ihi")
        found = []

        def part():
            index, error, high, stable, _ = a.take("ihqqq")
            aborted = a.array(lambda: a.take("qq"))
            data = a.raw(a.take("i")) or b""
            if error:
                raise WireError(f"Fetch {topic}-{index} at {offset}: error {error}")
            found.append((high, stable, aborted, data))

        a.array(lambda: (a.string(), a.array(part)))
        return found[0]

    def committed(self, group, topic, partitions):
        """[committed offset] by partition, -1 where there is none"""
        body = string(group) + array([string(topic) + array([struct.pack(">i", p) for p in range(partitions)])])
        for _ in range(40):
            a = self.ask(9, 1, body)
            found, errors = {}, set()

            def partition():
                index, offset = a.take("iq")
                a.string()
                errors.add(a.take("h"))
                found[index] = offset

            a.array(lambda: (a.string(), a.array(partition)))
            if not errors & RETRIABLE:
                break
            time.sleep(0.25)
        if errors - {0}:
            raise WireError(f"OffsetFetch {group} {topic}: errors {sorted(errors)}")
        return [found[p] for p in range(partitions)]

    def create_topics(self, topics, partitions):
        """For kcat, which has no admin client."""
        head = [string(t) + struct.pack(">ihii", partitions, 1, 0, 0) for t in topics]
        a = self.ask(19, 2, array(head) + struct.pack(">i?", 15000, False))
        a.take("i")
        for name, error, message in a.array(lambda: (a.string(), a.take("h"), a.string())):
            if error:
                raise WireError(f"CreateTopics {name}: error {error} {message}")

    def delete_topics(self, topics):
        self.ask(20, 1, array([string(t) for t in topics]) + struct.pack(">i", 15000))


def _crc_table():
    table = []
    for n in range(256):
        for _ in range(8):
            n = (n >> 1) ^ (0x82F63B78 if n & 1 else 0)
        table.append(n)
    return table


_TABLE = _crc_table()


def crc32c(data):
    crc, table = 0xFFFFFFFF, _TABLE
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def batches(data):
    """Yields (base offset, last offset, codec, record count, control, crc ok); a cut last batch is left out."""
    at = 0
    while at + 61 <= len(data):
        base, length = struct.unpack_from(">qi", data, at)
        if at + 12 + length > len(data):
            return
        _, magic, crc, attributes, delta = struct.unpack_from(">ibIhi", data, at + 12)
        count = struct.unpack_from(">i", data, at + 57)[0]
        if magic != 2:
            raise WireError(f"batch at {base} has magic {magic}")
        good = crc32c(memoryview(data)[at + 21:at + 12 + length]) == crc
        yield base, base + delta, CODECS[attributes & 7], count, bool(attributes & 32), good
        at += 12 + length


@dataclasses.dataclass(frozen=True)
class Batch:
    """One decoded batch of format 2 without compression."""

    base: int
    last: int
    producer: tuple  # (id, epoch)
    transactional: bool
    control: bool
    records: list    # [(offset, key, value)], bytes or None


def _varint(data, at):
    shift = value = 0
    while True:
        byte = data[at]
        value, at, shift = value | (byte & 0x7F) << shift, at + 1, shift + 7
        if byte < 0x80:
            return value >> 1 ^ -(value & 1), at


def _field(data, at):
    size, at = _varint(data, at)
    return (None, at) if size < 0 else (bytes(data[at:at + size]), at + size)


def _records(data, base, count):
    at, found = 0, []
    for _ in range(count):
        size, at = _varint(data, at)
        end = at + size
        _, at = _varint(data, at + 1)  # attributes, timestamp
        delta, at = _varint(data, at)
        key, at = _field(data, at)
        value, _ = _field(data, at)
        found.append((base + delta, key, value))
        at = end
    return found


def decoded(data):
    """Yields Batch; a cut last batch is left out. What is compressed, or has a wrong CRC, raises WireError."""
    at = 0
    for base, last, codec, count, control, good in batches(data):
        if codec != "none" or not good:
            raise WireError(f"batch {base}..{last}: codec {codec}, CRC {'right' if good else 'wrong'}")
        size = 12 + struct.unpack_from(">i", data, at + 8)[0]
        attributes = struct.unpack_from(">h", data, at + 21)[0]
        producer = struct.unpack_from(">qh", data, at + 43)
        yield Batch(base, last, producer, bool(attributes & 16), control, _records(data[at + 61:at + size], base, count))
        at += size
