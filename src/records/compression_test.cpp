// Goal: every codec gives back what went in, hostile blocks are refused, and no block takes more memory than
// its cap. Method: round trips over sizes around every block limit, exact caps, bombs and forged sizes, all
// truncations and single byte changes of small blocks. Blocks of other implementations are in
// golden_test.cpp.
#include "records/compression.hpp"

#include <gtest/gtest.h>

#include "base/prng.hpp"
#include "records/testing.hpp"

namespace tailwater::records {
namespace {

using testing::from_hex;
using testing::text_of;

constexpr Codec kCodecs[] = {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd};
constexpr Codec kCompressing[] = {Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd};

Buffer noise_of(std::size_t size) {
  Prng prng(7);
  Buffer bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(prng.next());
  return bytes;
}

Buffer packed(Codec codec, Bytes in, std::optional<int> level = std::nullopt) {
  Buffer out;
  CHECK(compress(codec, level, in, out).has_value());
  return out;
}

std::optional<Errc> fault_of(Codec codec, Bytes in, std::size_t cap = 1 << 20) {
  Buffer out;
  const auto done = decompress(codec, in, cap, out);
  EXPECT_LE(out.capacity(), std::max<std::size_t>(cap, 1));
  return done ? std::optional<Errc>() : done.error().code;
}

TEST(Compression, EverySizeComesBack) {
  Codecs codecs;
  Buffer compressed;
  Buffer out;
  for (const std::size_t size :
       {0u, 1u, 2u, 60u, 4095u, 4096u, 32767u, 32768u, 32769u, 65536u, 65537u, 200'000u, 3'000'000u}) {
    for (const Buffer& content : {text_of(size), noise_of(size), Buffer(size)}) {
      for (const Codec codec : kCodecs) {
        ASSERT_TRUE(codecs.compress(codec, std::nullopt, content, compressed));
        ASSERT_TRUE(codecs.decompress(codec, compressed, size, out)) << to_string(codec) << ' ' << size;
        EXPECT_TRUE(out == content) << to_string(codec) << ' ' << size;
        const auto view = codecs.open(codec, compressed, size);
        ASSERT_TRUE(view);
        EXPECT_TRUE(std::ranges::equal(*view, content));
      }
    }
  }
}

TEST(Compression, EveryLevelIsTakenOrClamped) {
  Codecs codecs;
  const Buffer content = text_of(20'000);
  for (const Codec codec : kCodecs) {
    for (const int level : {INT_MIN, -131'072, -1, 0, 1, 2, 3, 6, 9, 10, 12, 17, 22, 99, INT_MAX}) {
      Buffer compressed;
      Buffer out;
      ASSERT_TRUE(codecs.compress(codec, level, content, compressed));
      ASSERT_TRUE(codecs.decompress(codec, compressed, content.size(), out));
      EXPECT_TRUE(out == content) << to_string(codec) << ' ' << level;
    }
  }
  EXPECT_LT(packed(Codec::gzip, content, 9).size(), packed(Codec::gzip, content, 1).size());
  EXPECT_EQ(packed(Codec::gzip, content, -1), packed(Codec::gzip, content)) << "-1 is the library's default";
  EXPECT_LT(packed(Codec::gzip, content, -1).size(), packed(Codec::gzip, content, 1).size());
  EXPECT_LT(packed(Codec::lz4, content, 12).size(), packed(Codec::lz4, content, 1).size());
  EXPECT_EQ(packed(Codec::lz4, content, 9), packed(Codec::lz4, content)) << "nine stands for the fast one";
}

TEST(Compression, TheCapIsExactAndBoundsTheMemory) {
  for (const std::size_t size : {1u, 1000u, 100'000u, 1'000'000u}) {
    for (const Buffer& content : {text_of(size), noise_of(size), Buffer(size)}) {
      for (const Codec codec : kCodecs) {
        const Buffer compressed = packed(codec, content);
        EXPECT_EQ(fault_of(codec, compressed, size), std::nullopt) << to_string(codec);
        EXPECT_EQ(fault_of(codec, compressed, size - 1), Errc::too_large) << to_string(codec) << ' ' << size;
        EXPECT_EQ(fault_of(codec, compressed, size / 2), Errc::too_large) << to_string(codec) << ' ' << size;
        EXPECT_EQ(fault_of(codec, compressed, 0), Errc::too_large);
      }
    }
  }
}

TEST(Compression, BombsAreRefused) {
  const Buffer zeros(std::size_t{32} << 20);
  for (const Codec codec : kCompressing) {
    const Buffer bomb = packed(codec, zeros);
    EXPECT_LT(bomb.size(), zeros.size() / 20);
    EXPECT_EQ(fault_of(codec, bomb, 1 << 20), Errc::too_large) << to_string(codec);
    EXPECT_EQ(fault_of(codec, packed(codec, bomb), 1 << 10), Errc::too_large)
        << "a bomb in a bomb is only bytes";
  }
}

TEST(Compression, AnnouncedSizesAreNotBelieved) {
  const auto capacity_after = [](Codec codec, Bytes in) {
    Buffer out;
    EXPECT_FALSE(decompress(codec, in, kDecompressedMax, out));
    return out.capacity();
  };
  // snappy: 4 GiB less one, 64 MiB and 1 MiB in a block of a few bytes.
  EXPECT_EQ(fault_of(Codec::snappy, from_hex("ffffffff0f 00")), Errc::too_large);
  EXPECT_EQ(capacity_after(Codec::snappy, from_hex("80808020 0061")), 0u);
  EXPECT_EQ(capacity_after(Codec::snappy, from_hex("808040 0061")), 0u);
  // zstd: a single segment frame that announces 32 MiB and holds one raw byte.
  EXPECT_LE(capacity_after(Codec::zstd, from_hex("28b52ffd a0 00000002 090000 61")), std::size_t{64} << 10);
  EXPECT_EQ(fault_of(Codec::zstd, from_hex("28b52ffd e0 0000000000000001 090000 61")), Errc::too_large);
}

TEST(Compression, Lz4FramesAreAsJavaWritesThem) {
  const Buffer block = packed(Codec::lz4, text_of(100));
  EXPECT_EQ(Buffer(block.begin(), block.begin() + 4), from_hex("04224d18"));
  EXPECT_EQ(block[4], std::byte{0x60}) << "version 1, independent blocks, no checksums, no content size";
  EXPECT_EQ(block[5], std::byte{0x40}) << "64 KiB blocks";
  EXPECT_EQ(Buffer(block.end() - 4, block.end()), Buffer(4)) << "the end mark";
}

TEST(Compression, EmptyInputIsNoBlock) {
  EXPECT_EQ(fault_of(Codec::none, {}), std::nullopt);
  for (const Codec codec : kCompressing) EXPECT_EQ(fault_of(codec, {}), Errc::truncated);
}

TEST(Compression, UnknownCodecsAreUnsupported) {
  const Buffer content = text_of(10);
  for (int codec = 5; codec < 256; ++codec) {
    EXPECT_EQ(fault_of(static_cast<Codec>(codec), content), Errc::unsupported);
    Buffer out;
    EXPECT_EQ(compress(static_cast<Codec>(codec), std::nullopt, content, out).error().code,
              Errc::unsupported);
    EXPECT_EQ(to_string(static_cast<Codec>(codec)), "unknown");
  }
}

TEST(Compression, OneCodecsBlockIsMalformedToTheOthers) {
  const Buffer content = text_of(5000);
  for (const Codec from : kCompressing) {
    for (const Codec to : kCompressing) {
      if (from == to) continue;
      EXPECT_EQ(fault_of(to, packed(from, content)), Errc::malformed)
          << to_string(from) << ' ' << to_string(to);
    }
  }
}

TEST(Compression, NoTruncationIsWhole) {
  const Buffer content = text_of(300);
  for (const Codec codec : kCompressing) {
    const Buffer block = packed(codec, content);
    for (std::size_t size = 0; size < block.size(); ++size) {
      // A copy of exactly this size, so that a sanitizer sees a read beyond it.
      const Buffer cut(block.begin(), block.begin() + static_cast<std::ptrdiff_t>(size));
      Buffer out;
      const auto done = decompress(codec, cut, 1 << 20, out);
      // A xerial stream has no end mark: its bare header is a stream of nothing.
      EXPECT_TRUE(!done || (codec == Codec::snappy && size == 16 && out.empty()))
          << to_string(codec) << ' ' << size;
    }
  }
}

TEST(Compression, NoSingleByteChangeBreaksADecoder) {
  Codecs codecs;
  const Buffer content = text_of(200);
  constexpr std::size_t kCap = 100'000;
  for (const Codec codec : kCompressing) {
    const Buffer block = packed(codec, content);
    for (std::size_t at = 0; at < block.size(); ++at) {
      for (int value = 0; value < 256; ++value) {
        Buffer changed = block;
        changed[at] = static_cast<std::byte>(value);
        Buffer out;
        (void)codecs.decompress(codec, changed, kCap, out);
        EXPECT_LE(out.capacity(), kCap);
      }
    }
    // And the contexts are as good as before.
    Buffer out;
    ASSERT_TRUE(codecs.decompress(codec, block, kCap, out));
    EXPECT_EQ(out, content);
  }
}

TEST(Compression, BytesBehindABlockAreRefused) {
  for (const Codec codec : kCompressing) {
    Buffer block = packed(codec, text_of(500));
    for (const std::byte extra : {std::byte{0}, std::byte{1}, std::byte{0x1f}}) {
      Buffer longer = block;
      longer.insert(longer.end(), 3, extra);
      EXPECT_TRUE(fault_of(codec, longer)) << to_string(codec);
    }
  }
}

TEST(Compression, XerialChunksAreOf32KiB) {
  const Buffer block = packed(Codec::snappy, noise_of(70'000));
  EXPECT_EQ(Buffer(block.begin(), block.begin() + 16), from_hex("82534e4150505900 00000001 00000001"));
  std::size_t at = 16;
  int chunks = 0;
  for (; at < block.size(); ++chunks)
    at += 4 + static_cast<std::size_t>(load_big<std::int32_t>(block.data() + at));
  EXPECT_EQ(at, block.size());
  EXPECT_EQ(chunks, 3);
}

TEST(Compression, ForgedXerialChunksAreRefused) {
  const std::string header = "82534e4150505900 00000001 00000001";
  const auto fault = [&](const char* rest) { return fault_of(Codec::snappy, from_hex(header + rest)); };
  EXPECT_EQ(fault("00000003 010061"), std::nullopt) << "the letter a";
  EXPECT_EQ(fault("00000003 010061"
                  "82534e4150505900 00000000 00000000"
                  "00000003 010061"),
            std::nullopt);
  EXPECT_EQ(fault("00000000"), Errc::malformed);
  EXPECT_EQ(fault("ffffffff 010061"), Errc::malformed);
  EXPECT_EQ(fault("7fffffff 010061"), Errc::truncated);
  EXPECT_EQ(fault("00000004 010061"), Errc::truncated);
  EXPECT_EQ(fault("000000"), Errc::truncated);
  EXPECT_EQ(fault("82534e4150505900 00000001"), Errc::truncated);
  EXPECT_EQ(fault("00000003 020061"), Errc::malformed) << "a byte less than announced";
}

TEST(Compression, ScratchGivesLargeMemoryBackAndStaysRight) {
  Codecs codecs;
  const Buffer large = text_of(std::size_t{6} << 20);
  const Buffer small = text_of(100);
  const Buffer packed_large = packed(Codec::lz4, large);
  const Buffer packed_small = packed(Codec::lz4, small);
  for (int round = 0; round < 2; ++round) {
    EXPECT_TRUE(std::ranges::equal(*codecs.open(Codec::lz4, packed_large, large.size()), large));
    EXPECT_TRUE(std::ranges::equal(*codecs.open(Codec::lz4, packed_small, small.size()), small));
  }
  Codecs moved = std::move(codecs);
  EXPECT_TRUE(std::ranges::equal(*moved.open(Codec::lz4, packed_small, small.size()), small));
}

TEST(Compression, TheUsualCapFollowsTheCompressedSize) {
  EXPECT_EQ(decompressed_cap(0), kDecompressedAlways);
  EXPECT_EQ(decompressed_cap(200'000), 20'000'000u);
  EXPECT_EQ(decompressed_cap(kDecompressedMax), kDecompressedMax);
  EXPECT_EQ(decompressed_cap(SIZE_MAX), kDecompressedMax);
}

TEST(Compression, ABoundForRecordsRaisesTheCapToOneOfThem) {
  EXPECT_EQ(decompressed_cap(10, kRecordBytesUnbounded), kDecompressedAlways);
  EXPECT_EQ(decompressed_cap(10, 1'000), kDecompressedAlways) << "many small records are fine";
  EXPECT_EQ(decompressed_cap(10, 200'000'000), 200'000'000u + kVarintMaxBytes);
  EXPECT_EQ(decompressed_cap(SIZE_MAX, 200'000'000), 200'000'000u + kVarintMaxBytes);
  EXPECT_EQ(decompressed_cap(10, kRecordBytesUnbounded - 1),
            static_cast<std::size_t>(kRecordBytesUnbounded) - 1 + kVarintMaxBytes);
}

}  // namespace
}  // namespace tailwater::records
