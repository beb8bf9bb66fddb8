// Goal: a stream splits into its frames wherever it is cut, and sizes that cannot be are refused at once.
// Method: every cut of a small stream; the edges of the size.
#include "wire/frame.hpp"

#include <gtest/gtest.h>

namespace tailwater::wire {
namespace {

Buffer framed(std::string_view body) {
  Buffer buffer;
  const std::size_t begin = begin_frame(buffer);
  const Bytes bytes = as_bytes(body);
  buffer.insert(buffer.end(), bytes.begin(), bytes.end());
  end_frame(buffer, begin);
  return buffer;
}

TEST(split_frame, says_how_much_is_missing_at_every_cut) {
  const Buffer whole = framed("hello");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto front = split_frame(Bytes(whole).first(size), 100);
    ASSERT_TRUE(front.has_value());
    EXPECT_FALSE(front->whole());
    EXPECT_EQ(front->missing, size < 4 ? 4 - size : whole.size() - size);
  }
  const auto front = split_frame(whole, 100);
  ASSERT_TRUE(front.has_value());
  EXPECT_TRUE(front->whole());
  EXPECT_EQ(as_text(front->body), "hello");
  EXPECT_EQ(front->size(), whole.size());
}

TEST(split_frame, leaves_what_follows) {
  Buffer stream = framed("one");
  const Buffer second = framed("");
  stream.insert(stream.end(), second.begin(), second.end());
  Bytes rest = stream;
  auto front = split_frame(rest, 3);
  ASSERT_TRUE(front.has_value());
  EXPECT_EQ(as_text(front->body), "one");
  rest = rest.subspan(front->size());
  front = split_frame(rest, 3);
  ASSERT_TRUE(front.has_value());
  EXPECT_TRUE(front->whole());
  EXPECT_TRUE(front->body.empty());
  EXPECT_EQ(front->size(), rest.size());
}

TEST(split_frame, refuses_negative_and_oversized_frames_by_their_head_alone) {
  const Buffer negative{std::byte{0xff}, std::byte{0xff}, std::byte{0xff}, std::byte{0xff}};
  EXPECT_EQ(split_frame(negative, 100).error().code, Errc::malformed);
  const Buffer large{std::byte{0}, std::byte{0}, std::byte{0}, std::byte{101}};
  EXPECT_EQ(split_frame(large, 100).error().code, Errc::too_large);
  EXPECT_EQ(split_frame(large, 101)->missing, 101U);
  const Buffer largest{std::byte{0x7f}, std::byte{0xff}, std::byte{0xff}, std::byte{0xff}};
  EXPECT_EQ(split_frame(largest, 100).error().code, Errc::too_large);
}

TEST(end_frame, counts_what_is_sent_from_elsewhere) {
  Buffer buffer{std::byte{9}};
  const std::size_t begin = begin_frame(buffer);
  buffer.push_back(std::byte{1});
  end_frame(buffer, begin, 1000);
  EXPECT_EQ(load_big<std::int32_t>(buffer.data() + 1), 1001);
}

}  // namespace
}  // namespace tailwater::wire
