// Goal: the reader gives what was written, and nothing that bytes can say makes it read too far, allocate
// more than it was given, or go on after a failure. Method: bytes written by hand; every edge of every
// length.
#include "wire/reader.hpp"

#include <gtest/gtest.h>

#include "wire/testing.hpp"

namespace tailwater::wire {
namespace {

TEST(reader, reads_numbers_in_network_order) {
  const Buffer bytes = bytes_of({1, 0xfe, 0xff, 0xfe, 0x80, 0, 0, 0,    0,    5, 0xff, 0xff, 0xff, 0xfb, 0,
                                 0, 0,    0,    0,    0,    1, 0, 0x40, 0x04, 0, 0,    0,    0,    0,    0});
  Reader reader(bytes);
  EXPECT_TRUE(reader.boolean());
  EXPECT_EQ(reader.int8(), -2);
  EXPECT_EQ(reader.int16(), -2);
  EXPECT_EQ(reader.uint16(), 0x8000);
  EXPECT_EQ(reader.int32(), 5);
  EXPECT_EQ(reader.int32(), -5);
  EXPECT_EQ(reader.int64(), 256);
  EXPECT_EQ(reader.float64(), 2.5);
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.remaining(), 0U);
  EXPECT_EQ(reader.position(), bytes.size());
}

TEST(reader, failure_sticks_and_gives_zeros) {
  const Buffer bytes = bytes_of({0, 7, 9});
  Reader reader(bytes);
  EXPECT_EQ(reader.int32(), 0);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.error(), Errc::truncated);
  EXPECT_EQ(reader.remaining(), 0U);
  EXPECT_EQ(reader.int8(), 0);
  EXPECT_EQ(reader.text(Form::plain), "");
  EXPECT_TRUE(reader.array<std::int32_t>(Form::plain).empty());
  reader.fail(Errc::malformed);
  EXPECT_EQ(reader.error(), Errc::truncated);
}

TEST(reader, uvarint_takes_five_bytes_at_most) {
  const std::pair<Buffer, std::uint32_t> good[]{{bytes_of({0}), 0},
                                                {bytes_of({0x7f}), 127},
                                                {bytes_of({0x80, 0x01}), 128},
                                                {bytes_of({0xff, 0xff, 0xff, 0xff, 0x0f}), UINT32_MAX},
                                                {bytes_of({0x80, 0x80, 0x80, 0x80, 0x00}), 0}};
  for (const auto& [bytes, value] : good) {
    Reader reader(bytes);
    EXPECT_EQ(reader.uvarint(), value);
    EXPECT_TRUE(reader.ok());
  }
  const std::pair<Buffer, Errc> bad[]{{bytes_of({}), Errc::truncated},
                                      {bytes_of({0x80, 0x80}), Errc::truncated},
                                      {bytes_of({0xff, 0xff, 0xff, 0xff, 0x1f}), Errc::malformed},
                                      {bytes_of({0x80, 0x80, 0x80, 0x80, 0x80, 0x00}), Errc::malformed}};
  for (const auto& [bytes, error] : bad) {
    Reader reader(bytes);
    EXPECT_EQ(reader.uvarint(), 0U);
    ASSERT_FALSE(reader.ok());
    EXPECT_EQ(reader.error(), error);
  }
}

TEST(reader, strings_of_both_forms) {
  const Buffer bytes = bytes_of({0, 2, 'h', 'i', 3, 'h', 'o', 0xff, 0xff, 0, 0, 0, 1});
  Reader reader(bytes);
  EXPECT_EQ(reader.text(Form::plain), "hi");
  EXPECT_EQ(reader.string(Form::compact), "ho");
  EXPECT_EQ(reader.nullable_string(Form::plain), std::nullopt);
  EXPECT_EQ(reader.nullable_string(Form::compact), std::nullopt);
  EXPECT_EQ(reader.nullable_string(Form::plain), "");
  EXPECT_EQ(reader.nullable_string(Form::compact), "");
  EXPECT_TRUE(reader.ok());
}

TEST(reader, null_is_malformed_where_it_is_refused) {
  const Buffer plain = bytes_of({0xff, 0xff, 0xff, 0xff});
  const Buffer compact = bytes_of({0});
  for (const auto& [form, bytes] : {std::pair(Form::plain, plain), std::pair(Form::compact, compact)}) {
    Reader text(bytes);
    text.text(form);
    EXPECT_EQ(text.error(), Errc::malformed);
    Reader span(bytes);
    span.span(form);
    EXPECT_EQ(span.error(), Errc::malformed);
    Reader array(bytes);
    array.array<std::int32_t>(form);
    EXPECT_EQ(array.error(), Errc::malformed);
  }
  const Buffer marker = bytes_of({0xff});
  Reader structure(marker);
  EXPECT_FALSE(structure.present(Null::refused));
  EXPECT_EQ(structure.error(), Errc::malformed);
  Reader allowed(marker);
  EXPECT_FALSE(allowed.present(Null::allowed));
  EXPECT_TRUE(allowed.ok());
}

TEST(reader, lengths_below_null_are_malformed) {
  for (const Buffer& bytes : {bytes_of({0xff, 0xfe}), bytes_of({0x80, 0x00})}) {
    Reader reader(bytes);
    EXPECT_EQ(reader.nullable_text(Form::plain).value_or("x"), "");
    EXPECT_EQ(reader.error(), Errc::malformed);
  }
  const Buffer bytes = bytes_of({0xff, 0xff, 0xff, 0xfe});
  Reader reader(bytes);
  reader.nullable_span(Form::plain);
  EXPECT_EQ(reader.error(), Errc::malformed);
}

TEST(reader, compact_strings_obey_the_bound_of_plain_ones) {
  Buffer bytes = bytes_of({0x80, 0x80, 0x02});  // 32768 + 1 - 1
  bytes.resize(bytes.size() + 32767, std::byte{'x'});
  Reader longest(bytes);
  EXPECT_EQ(longest.text(Form::compact).size(), 32767U);
  bytes[0] = std::byte{0x81};
  bytes.push_back(std::byte{'x'});
  Reader beyond(bytes);
  EXPECT_EQ(beyond.text(Form::compact), "");
  EXPECT_EQ(beyond.error(), Errc::too_large);
}

TEST(reader, counts_that_the_remaining_bytes_cannot_hold_fail_before_anything_is_reserved) {
  const Buffer huge = bytes_of({0x7f, 0xff, 0xff, 0xff, 1, 2, 3, 4});
  Reader numbers(huge, Reader::kNoLimit);
  EXPECT_TRUE(numbers.array<std::int64_t>(Form::plain).empty());
  EXPECT_EQ(numbers.error(), Errc::truncated);
  const Buffer two = bytes_of({0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0});
  Reader short_by_one(two);
  EXPECT_TRUE(short_by_one.array<std::int32_t>(Form::plain).empty());
  EXPECT_EQ(short_by_one.error(), Errc::truncated);
  Reader compact(huge);
  EXPECT_EQ(compact.array_count(Form::compact, Null::refused, 3, 1), 0);
  EXPECT_EQ(compact.error(), Errc::truncated);
}

TEST(reader, what_is_allocated_is_charged_to_the_allowance) {
  const Buffer bytes = bytes_of({0, 0, 0, 4, 1, 2, 3, 4, 0, 3, 'a', 'b', 'c'});
  Reader enough(bytes, 7);
  EXPECT_EQ(enough.array<std::int8_t>(Form::plain).size(), 4U);
  EXPECT_EQ(enough.string(Form::plain), "abc");
  EXPECT_TRUE(enough.ok());
  Reader one_short(bytes, 6);
  EXPECT_EQ(one_short.array<std::int8_t>(Form::plain).size(), 4U);
  EXPECT_EQ(one_short.string(Form::plain), "");
  EXPECT_EQ(one_short.error(), Errc::too_large);
  Reader none(bytes, 3);
  EXPECT_TRUE(none.array<std::int8_t>(Form::plain).empty());
  EXPECT_EQ(none.error(), Errc::too_large);
}

TEST(reader, limits_of_ours_are_kept) {
  const Buffer bytes = bytes_of({0, 0, 0, 4, 1, 2, 3, 4});
  Reader at_limit(bytes);
  EXPECT_EQ(at_limit.bytes(Form::plain, 4).size(), 4U);
  Reader beyond(bytes);
  EXPECT_TRUE(beyond.bytes(Form::plain, 3).empty());
  EXPECT_EQ(beyond.error(), Errc::too_large);
  Reader array(bytes);
  EXPECT_TRUE(array.array<std::int8_t>(Form::plain, 3).empty());
  EXPECT_EQ(array.error(), Errc::too_large);
}

TEST(tag_reader, gives_known_tags_and_skips_the_rest) {
  // Three tags: 1 (an int16 with one byte more than is read), 4 (unknown), 9 (empty); then a byte after the
  // section.
  const Buffer bytes = bytes_of({3, 1, 3, 0, 5, 0xee, 4, 2, 0xee, 0xee, 9, 0, 0x77});
  Reader reader(bytes);
  std::vector<std::uint32_t> seen;
  std::int16_t one = 0;
  for (TagReader tags(reader); tags.next();) {
    seen.push_back(tags.tag());
    if (tags.tag() == 1) {
      EXPECT_EQ(reader.remaining(), 3U);
      one = reader.int16();
    }
  }
  EXPECT_EQ(seen, (std::vector<std::uint32_t>{1, 4, 9}));
  EXPECT_EQ(one, 5);
  EXPECT_EQ(reader.int8(), 0x77);
  EXPECT_TRUE(reader.ok());
}

TEST(tag_reader, tags_ascend_strictly) {
  for (const Buffer& bytes :
       {bytes_of({2, 1, 0, 1, 0}), bytes_of({2, 5, 0, 4, 0}), bytes_of({2, 0, 0, 0, 0})}) {
    Reader reader(bytes);
    reader.skip_tags();
    ASSERT_FALSE(reader.ok());
    EXPECT_EQ(reader.error(), Errc::malformed);
  }
}

TEST(tag_reader, a_field_cannot_read_beyond_its_size) {
  const Buffer bytes = bytes_of({1, 0, 2, 0, 0, 0, 0});
  Reader reader(bytes);
  for (TagReader tags(reader); tags.next();) reader.int32();
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.error(), Errc::truncated);
  EXPECT_EQ(reader.remaining(), 0U);
}

TEST(tag_reader, hostile_sections_fail) {
  for (const Buffer& bytes :
       {bytes_of({1}), bytes_of({1, 0}), bytes_of({1, 0, 1}), bytes_of({1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f}),
        bytes_of({0xff, 0xff, 0xff, 0xff, 0x0f}), bytes_of({2, 0, 0})}) {
    Reader reader(bytes);
    reader.skip_tags();
    EXPECT_FALSE(reader.ok());
  }
}

}  // namespace
}  // namespace tailwater::wire
