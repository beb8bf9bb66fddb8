// Goal: base's arithmetic agrees with published vectors. Method: known answers and round trips over edge
// values.
#include <gtest/gtest.h>

#include <string>

#include "base/crc32c.hpp"
#include "base/murmur2.hpp"
#include "base/prng.hpp"
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
