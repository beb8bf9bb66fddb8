// Goal: groups land on the partition where Kafka puts them. Method: known answers of Java's String.hashCode,
// made by hand for texts beyond ASCII, and the edge of the absolute value.
#include "core/group/partition.hpp"

#include <gtest/gtest.h>

namespace tailwater::group {
namespace {

TEST(Partition, JavaHashOfAscii) {
  EXPECT_EQ(java_string_hash(""), 0);
  EXPECT_EQ(java_string_hash("a"), 97);
  EXPECT_EQ(java_string_hash("hello"), 99162322);
  EXPECT_EQ(java_string_hash("Hello World"), -862545276);
}

TEST(Partition, JavaHashCountsUtf16Units) {
  EXPECT_EQ(java_string_hash("\xC3\xA9"), 0xE9);                          // U+00E9
  EXPECT_EQ(java_string_hash("\xE2\x82\xAC"), 0x20AC);                    // U+20AC
  EXPECT_EQ(java_string_hash("\xF0\x9F\x98\x80"), 31 * 0xD83D + 0xDE00);  // U+1F600 as a surrogate pair
  EXPECT_EQ(java_string_hash("\xC3\xA9z"), 31 * 0xE9 + 'z');
  EXPECT_EQ(utf16_length("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"), 5u);
}

TEST(Partition, BytesThatAreNoUtf8AreReplacedOneByOne) {
  EXPECT_EQ(java_string_hash("\xFF"), 0xFFFD);
  EXPECT_EQ(utf16_length("\xC0\x80"), 2u);          // overlong
  EXPECT_EQ(utf16_length("\xE0\x80\x80"), 3u);      // overlong
  EXPECT_EQ(utf16_length("\xED\xA0\x80"), 3u);      // a surrogate by itself
  EXPECT_EQ(utf16_length("\xF4\x90\x80\x80"), 4u);  // beyond U+10FFFF
  EXPECT_EQ(utf16_length("\xE2\x82"), 2u);          // cut short
  EXPECT_EQ(utf16_length("\x80"), 1u);              // a tail without a head
}

TEST(Partition, AbsoluteRemainder) {
  EXPECT_EQ(coordinator_partition("hello", 50), 99162322 % 50);
  EXPECT_EQ(coordinator_partition("Hello World", 50), 862545276 % 50);
  // "polygenelubricants" has the hash that has no absolute value.
  EXPECT_EQ(java_string_hash("polygenelubricants"), INT32_MIN);
  EXPECT_EQ(coordinator_partition("polygenelubricants", 50), 0);
  for (int partitions = 1; partitions < 100; ++partitions) {
    const auto partition = coordinator_partition("\xE2\x82\xAC-group", partitions);
    EXPECT_GE(partition, 0);
    EXPECT_LT(partition, partitions);
  }
}

}  // namespace
}  // namespace tailwater::group
