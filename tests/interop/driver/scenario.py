"""What every client program does, as data: names, keys, values. The same rules stand in each
language's shared file (clients/*/…); this one is the judge's. Keys have 2 to 5 bytes so that every
tail of murmur2 is met; values differ in length and compress well.
"""

FILLER = "tailwater " * 20
MASK = 0xFFFFFFFF


def key(i):
    return f"k{i}"


def value(codec, i):
    return f"{codec}:{i}:" + FILLER[:(i * 7) % 200]


def topic(prefix, codec):
    return f"{prefix}-{codec}"


def txn_suffix(protocols, protocol):
    """Of the steps and the event file; the protocol that a client chooses by itself stands first and has none."""
    return "" if protocol == protocols[0] else f"@{protocol}"


def txn_topics(prefix, suffix=""):
    return tuple(f"{prefix}-txn{suffix.replace('@', '-')}-{end}" for end in ("in", "out"))


def txn_group(prefix, suffix=""):
    return f"{prefix}-txn{suffix.replace('@', '-')}-group"


def group(prefix, protocol="classic"):
    return f"{prefix}-group" if protocol == "classic" else f"{prefix}-group-{protocol}"


class Txn:
    """The plan of the transactional scenario: numbered transactions of SIZE records `number:i`, record i in partition
    i % PARTITIONS, and what becomes of each. All but LAST go to the first topic; LAST closes the second one."""

    PARTITIONS, SIZE = 3, 12
    ENDS = 40                   # transactions of two producers, one opened within the other; every third is aborted
    FENCED, FENCER = 40, 41     # one producer's open transaction, and the next one's of the same transactional id
    OPEN = 42                   # is looked at while it is open, then aborted
    ABANDONED, AFTER = 43, 44   # runs into its time-out; what follows it in the log, and is the last for readers
    LAST = 45
    PLAN = {number: "abort" if number % 3 == 1 else "commit" for number in range(ENDS)} | {
        FENCED: "fenced", FENCER: "commit", OPEN: "abort", ABANDONED: "expired", AFTER: "commit", LAST: "commit"}
    COMMITTED = SIZE * (list(PLAN.values()).count("commit") - 1)  # records that the transform reads: all but LAST's
    BATCH, LIVES = 40, 3        # records that the transform takes at most at a time; its consumers, one after the other

    @staticmethod
    def values(number):
        """[(partition, value)]"""
        return [(i % Txn.PARTITIONS, f"{number}:{i}") for i in range(Txn.SIZE)]

    @staticmethod
    def transformed(value):
        return f"out:{value}"


def murmur2(data):
    """The hash of Java's default partitioner, seed 0x9747b28c."""
    m, length = 0x5BD1E995, len(data)
    h = 0x9747B28C ^ length
    for at in range(0, length - length % 4, 4):
        k = int.from_bytes(data[at:at + 4], "little") * m & MASK
        k = (k ^ k >> 24) * m & MASK
        h = h * m & MASK ^ k
    tail = data[length - length % 4:]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * m & MASK
    h = (h ^ h >> 13) * m & MASK
    return h ^ h >> 15


def partition_of(name, partitions):
    return (murmur2(name.encode()) & 0x7FFFFFFF) % partitions
