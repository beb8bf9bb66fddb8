"""Makes the golden files named *-python-* in the working folder: the text and records of Generate.java, by other libraries."""
import gzip
import io
import struct

import lz4.frame as lz4
import snappy
import zstandard
from kafka.record.memory_records import MemoryRecordsBuilder

WORDS = b"the quick brown fox jumps over the lazy dog 0123456789 "
TEXT = bytes(WORDS[at % len(WORDS)] + (at // 977) % 3 for at in range(150000))
CUT = 70000


def save(name, content):
    digits = content.hex()
    lines = [digits[at : at + 120] for at in range(0, len(digits), 120)]
    with open(name + ".hex", "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")


def xerial(content, block=32768):
    stream = b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1)
    for at in range(0, len(content), block):
        chunk = snappy.compress(content[at : at + block])
        stream += struct.pack(">i", len(chunk)) + chunk
    return stream


def gzip_named(content):
    stream = io.BytesIO()
    with gzip.GzipFile("name.txt", "wb", 9, stream, mtime=3) as file:
        file.write(content)
    return stream.getvalue()


def zstd_of_unknown_size(content):
    stream = zstandard.ZstdCompressor(level=3).compressobj()
    return stream.compress(content) + stream.flush()


def batch(codec):
    records = MemoryRecordsBuilder(magic=2, compression_type=codec, batch_size=1 << 20)
    for index in range(5):
        value = b"value-%d" % index
        records.append(
            timestamp=1700000000000 + index * 37,
            key=None if index % 3 == 1 else b"key-%d" % index,
            value=value,
            headers=[("trace", value)] if index % 2 == 0 else [],
        )
    records.close()
    return bytes(records.buffer())


checked = zstandard.ZstdCompressor(level=19, write_checksum=True, write_content_size=True)
save("block-python-snappy-raw", snappy.compress(TEXT))
save("block-python-snappy-two-streams", xerial(TEXT[:CUT]) + xerial(TEXT[CUT:]))
save(
    "block-python-lz4-linked-checked",
    lz4.compress(
        TEXT,
        block_size=lz4.BLOCKSIZE_MAX64KB,
        block_linked=True,
        content_checksum=True,
        block_checksum=True,
        store_size=True,
    ),
)
save("block-python-lz4-4mb", lz4.compress(TEXT, block_size=lz4.BLOCKSIZE_MAX4MB, block_linked=False, store_size=False))
save("block-python-lz4-two-frames", lz4.compress(TEXT[:CUT]) + lz4.compress(TEXT[CUT:]))
save("block-python-zstd-checked", checked.compress(TEXT))
save("block-python-zstd-unknown-size", zstd_of_unknown_size(TEXT))
save("block-python-zstd-two-frames", checked.compress(TEXT[:CUT]) + zstandard.ZstdCompressor(level=1).compress(TEXT[CUT:]))
save("block-python-gzip-two-members", gzip.compress(TEXT[:CUT], mtime=1) + gzip.compress(TEXT[CUT:], 1, mtime=2))
save("block-python-gzip-named", gzip_named(TEXT))
for number, codec_name in enumerate(["none", "gzip", "snappy", "lz4", "zstd"]):
    save("batch-python-" + codec_name, batch(number))
