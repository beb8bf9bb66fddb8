// Goal: every primitive has exactly the bytes that the protocol says, and a counting writer counts the same.
// Method: each call once into a buffer that has content already and once into a counter, compared with bytes
// written by hand.
#include "wire/writer.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "wire/testing.hpp"

namespace tailwater::wire {
namespace {

void expect_bytes(const std::function<void(Writer&)>& write, std::initializer_list<int> expected) {
  Buffer buffer = bytes_of({0xaa});
  Writer writer(buffer);
  write(writer);
  EXPECT_EQ(buffer.front(), std::byte{0xaa});
  EXPECT_EQ(Buffer(buffer.begin() + 1, buffer.end()), bytes_of(expected));
  EXPECT_EQ(writer.size(), expected.size());
  Writer counter = Writer::counter();
  write(counter);
  EXPECT_EQ(counter.size(), expected.size());
}

TEST(writer, numbers) {
  expect_bytes([](Writer& w) { w.boolean(true), w.boolean(false); }, {1, 0});
  expect_bytes([](Writer& w) { w.int8(-1); }, {0xff});
  expect_bytes([](Writer& w) { w.int16(-2); }, {0xff, 0xfe});
  expect_bytes([](Writer& w) { w.uint16(0x8001); }, {0x80, 0x01});
  expect_bytes([](Writer& w) { w.int32(258); }, {0, 0, 1, 2});
  expect_bytes([](Writer& w) { w.uint32(0xfffffffe); }, {0xff, 0xff, 0xff, 0xfe});
  expect_bytes([](Writer& w) { w.int64(1); }, {0, 0, 0, 0, 0, 0, 0, 1});
  expect_bytes([](Writer& w) { w.float64(2.5); }, {0x40, 0x04, 0, 0, 0, 0, 0, 0});
  expect_bytes([](Writer& w) { w.error_code(ErrorCode::unknown_server_error); }, {0xff, 0xff});
  expect_bytes([](Writer& w) { w.uvarint(300); }, {0xac, 0x02});
  expect_bytes([](Writer& w) { w.uuid({1, 2}); }, {0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2});
}

TEST(writer, strings_and_bytes) {
  expect_bytes([](Writer& w) { w.string("hi", Form::plain); }, {0, 2, 'h', 'i'});
  expect_bytes([](Writer& w) { w.string("hi", Form::compact); }, {3, 'h', 'i'});
  const std::optional<std::string> none;
  expect_bytes([&](Writer& w) { w.nullable_string(none, Form::plain); }, {0xff, 0xff});
  expect_bytes([&](Writer& w) { w.nullable_string(none, Form::compact); }, {0});
  expect_bytes([&](Writer& w) { w.nullable_string(none, Form::plain, Null::refused); }, {0, 0});
  expect_bytes([&](Writer& w) { w.nullable_string(none, Form::compact, Null::refused); }, {1});
  const Buffer two = bytes_of({7, 8});
  expect_bytes([&](Writer& w) { w.bytes(two, Form::plain); }, {0, 0, 0, 2, 7, 8});
  expect_bytes([&](Writer& w) { w.bytes(two, Form::compact); }, {3, 7, 8});
  const std::optional<Buffer> nothing;
  expect_bytes([&](Writer& w) { w.nullable_bytes(nothing, Form::plain); }, {0xff, 0xff, 0xff, 0xff});
  expect_bytes([&](Writer& w) { w.nullable_bytes(nothing, Form::compact); }, {0});
  expect_bytes([&](Writer& w) { w.nullable_bytes(nothing, Form::plain, Null::refused); }, {0, 0, 0, 0});
}

TEST(writer, strings_beyond_the_bound_are_cut) {
  const std::string text(40000, 'x');
  for (const Form form : {Form::plain, Form::compact}) {
    Buffer buffer;
    Writer writer(buffer);
    writer.string(text, form);
    Reader reader(buffer);
    EXPECT_EQ(reader.text(form).size(), kStringSizeMax);
    EXPECT_EQ(reader.remaining(), 0U);
  }
}

TEST(writer, arrays) {
  const std::vector<std::int32_t> numbers{1, -1};
  expect_bytes([&](Writer& w) { w.array(numbers, Form::plain); },
               {0, 0, 0, 2, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff});
  expect_bytes([&](Writer& w) { w.array(numbers, Form::compact); }, {3, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff});
  const std::vector<std::string> names{"a", ""};
  expect_bytes([&](Writer& w) { w.array(names, Form::plain); }, {0, 0, 0, 2, 0, 1, 'a', 0, 0});
  expect_bytes([&](Writer& w) { w.array(names, Form::compact); }, {3, 2, 'a', 1});
  const std::optional<std::vector<std::int8_t>> none;
  expect_bytes([&](Writer& w) { w.nullable_array(none, Form::plain); }, {0xff, 0xff, 0xff, 0xff});
  expect_bytes([&](Writer& w) { w.nullable_array(none, Form::compact); }, {0});
  expect_bytes([&](Writer& w) { w.nullable_array(none, Form::compact, Null::refused); }, {1});
}

TEST(writer, tags_get_their_size_in_front) {
  expect_bytes([](Writer& w) { w.no_tags(); }, {0});
  expect_bytes(
      [](Writer& w) {
        w.tag_count({true, false, true});
        const std::size_t first = w.begin_tag(0);
        w.int16(5);
        w.end_tag(first);
        const std::size_t second = w.begin_tag(200);
        w.end_tag(second);
      },
      {2, 0, 2, 0, 5, 0xc8, 0x01, 0});
}

TEST(writer, a_long_tag_moves_its_content_behind_a_long_size) {
  Buffer buffer;
  Writer writer(buffer);
  writer.tag_count({true});
  const std::size_t begin = writer.begin_tag(1);
  writer.string(std::string(300, 'y'), Form::compact);
  writer.end_tag(begin);
  Reader reader(buffer);
  std::string text;
  for (TagReader tags(reader); tags.next();) text = reader.string(Form::compact);
  EXPECT_EQ(text, std::string(300, 'y'));
  EXPECT_EQ(reader.remaining(), 0U);
}

}  // namespace
}  // namespace tailwater::wire
