// Goal: base's arithmetic agrees with published vectors. Method: known answers and round trips over edge
// values.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/crc32c.hpp"
#include "base/murmur2.hpp"
#include "base/prng.hpp"
#include "base/stream_copy.hpp"
#include "base/time.hpp"
#include "base/uuid.hpp"
#include "base/varint.hpp"

namespace tailwater {
namespace {

TEST(Crc32c, KnownAnswer) {
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xe3069283u);
}

TEST(Crc32c, EverySplitGivesTheSameAnswer) {
  Prng random(1);
  Buffer bytes(1000);
  for (auto& byte : bytes) byte = static_cast<std::byte>(random.next());
  const std::uint32_t whole = crc32c(bytes);
  for (std::size_t at = 0; at <= bytes.size(); ++at) {
    const Bytes all(bytes);
    ASSERT_EQ(crc32c(all.subspan(at), crc32c(all.first(at))), whole) << "split at " << at;
  }
}

TEST(Crc32c, ResultsOfPiecesFollowFromEachOther) {
  Buffer bytes(70'000);
  for (std::size_t each = 0; each < bytes.size(); ++each)
    bytes[each] = static_cast<std::byte>(each * 31 + each / 257);
  const Bytes all(bytes);
  const std::uint32_t whole = crc32c(bytes);
  for (const std::size_t at : {std::size_t{0}, std::size_t{1}, std::size_t{4'096}, std::size_t{33'333},
                               bytes.size() - 1, bytes.size()}) {
    const std::uint32_t first = crc32c(all.first(at));
    const std::uint32_t second = crc32c(all.subspan(at));
    const std::uint64_t behind = bytes.size() - at;
    EXPECT_EQ(crc32c_joined(first, second, behind), whole) << "split at " << at;
    EXPECT_EQ(crc32c_first(whole, second, behind), first) << "split at " << at;
    EXPECT_EQ(crc32c_second(whole, first, behind), second) << "split at " << at;
  }
}

TEST(Crc32c, PiecesOfAnySizeAreJoined) {
  // Bytes that are zero, so many that nobody would lay them out: as if added one half after the other.
  std::uint32_t zeros = crc32c(Buffer(1 << 20));
  std::uint64_t size = 1 << 20;
  const std::uint32_t first = crc32c(as_bytes("123456789"));
  for (; size < std::uint64_t{1} << 40; size *= 2) {
    const std::uint32_t stepwise = crc32c_joined(crc32c_joined(first, zeros, size), zeros, size);
    zeros = crc32c_joined(zeros, zeros, size);
    EXPECT_EQ(crc32c_joined(first, zeros, 2 * size), stepwise);
    EXPECT_EQ(crc32c_first(stepwise, zeros, 2 * size), first);
  }
}

TEST(StreamCopy, EveryByteArrivesAndNoOther) {
  Buffer from(3'000);
  for (std::size_t each = 0; each < from.size(); ++each)
    from[each] = static_cast<std::byte>(each * 7 + each / 256);
  constexpr std::byte kUntouched{0xEE};
  for (const std::size_t begin : {0u, 1u, 15u, 63u, 64u}) {
    for (const std::size_t size : {0u, 1u, 63u, 64u, 65u, 127u, 128u, 200u, 2'500u}) {
      Buffer to(from.size() + 200, kUntouched);
      stream_copy(Bytes(from).subspan(3, size), to.data() + 10 + begin);
      Buffer expected(to.size(), kUntouched);
      std::copy_n(from.begin() + 3, size, expected.begin() + static_cast<std::ptrdiff_t>(10 + begin));
      ASSERT_EQ(to, expected) << "at " << begin << ", " << size << " bytes";
    }
  }
}

TEST(Murmur2, JavaVectors) {
  const std::pair<const char*, std::int32_t> vectors[] = {{"", 275646681},
                                                          {"21", -973932308},
                                                          {"foobar", -790332482},
                                                          {"abc", 479470107},
                                                          {"a-little-bit-long-string", -985981536},
                                                          {"a-little-bit-longer-string", -1486304829}};
  for (const auto& [key, hash] : vectors) {
    EXPECT_EQ(static_cast<std::int32_t>(murmur2(as_bytes(key))), hash) << key;
  }
}

TEST(Uuid, TextRoundTrip) {
  EXPECT_EQ(to_string(Uuid{0, 1}), "AAAAAAAAAAAAAAAAAAAAAQ");
  Prng random(7);
  for (int round = 0; round < 1000; ++round) {
    const Uuid id = random.uuid();
    ASSERT_EQ(parse_uuid(to_string(id)), id);
  }
  EXPECT_FALSE(parse_uuid("AAAA").has_value());
  EXPECT_FALSE(parse_uuid("AAAAAAAAAAAAAAAAAAAA!Q").has_value());
}

TEST(Varint, RoundTripAtEveryGroupBorder) {
  for (int bit = 0; bit < 64; ++bit) {
    for (int delta = -1; delta <= 1; ++delta) {
      const std::uint64_t number = (std::uint64_t{1} << bit) + static_cast<std::uint64_t>(delta);
      std::byte room[kVarlongMaxBytes];
      const std::size_t size = write_uvarint(room, number);
      ASSERT_EQ(size, uvarint_size(number));
      std::uint64_t back = 0;
      ASSERT_EQ(read_uvarint(Bytes(room, size), back), size);
      ASSERT_EQ(back, number);
      ASSERT_EQ(read_uvarint(Bytes(room, size - 1), back), 0u) << "cut short";
      ASSERT_EQ(unzigzag(zigzag(static_cast<std::int64_t>(number))), static_cast<std::int64_t>(number));
    }
  }
}

TEST(Time, MillisecondsSaturate) {
  EXPECT_EQ(Duration::from_ms(INT64_MAX), Duration::max());
  EXPECT_EQ(Instant{5} + Duration::max(), Instant::max());
}

}  // namespace
}  // namespace tailwater
