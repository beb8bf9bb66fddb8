// Goal: the JSON form of a record loses nothing, and JSON that is no record is refused.
// Method: print and read again with every kind of content; known texts.
#include "apps/cli/record_json.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apps/cli/byte_stream.hpp"
#include "apps/cli/json_scan.hpp"

namespace tailwater::apps::cli {
namespace {

using namespace std::string_literals;
using ::testing::HasSubstr;

RecordView record(std::optional<std::string_view> key, std::optional<std::string_view> value) {
  RecordView view;
  view.topic = "t";
  view.partition = 2;
  view.offset = 7;
  view.timestamp = 1'700'000'000'000;
  view.key = key;
  view.value = value;
  return view;
}

std::string print(const RecordView& view, RecordParts parts = RecordParts::all) {
  std::string out;
  append_json(out, view, parts);
  return out;
}

TEST(RecordJson, TheFormIsStable) {
  RecordView view = record("k", "v\"\n");
  view.headers = {{"a", "x"}, {"b", std::nullopt}, {"c", "\xff"}};
  EXPECT_EQ(
      print(view),
      R"({"topic":"t","partition":2,"offset":7,"timestamp":1700000000000,"timestamp_type":"create","key":"k",)"
      R"("value":"v\"\n","headers":[{"key":"a","value":"x"},{"key":"b","value":null},)"
      R"({"key":"c","value_base64":"/w=="}]})");
  EXPECT_EQ(print(view, RecordParts::without_content),
            R"({"topic":"t","partition":2,"offset":7,"timestamp":1700000000000,"timestamp_type":"create",)"
            R"("key_size":1,"value_size":3,"header_count":3})");
}

TEST(RecordJson, ReadsWhatItPrints) {
  std::string all_bytes;
  for (int byte = 0; byte < 256; ++byte) all_bytes += static_cast<char>(byte);
  const std::vector<std::optional<std::string>> contents = {
      std::nullopt, "", "text", "\xc3\xa9 \"\\\n\x01", "\0"s, "\xff\xfe", all_bytes};
  for (const auto& key : contents) {
    for (const auto& value : contents) {
      RecordView view = record(key, value);
      const std::string header = key.value_or("h");
      view.headers = {{header, value}};
      InputRecord back;
      const auto read = read_json(print(view), back);
      ASSERT_TRUE(read) << read.error().message;
      EXPECT_EQ(back.key, key);
      EXPECT_EQ(back.value, value);
      EXPECT_EQ(back.partition, 2);
      EXPECT_EQ(back.timestamp, 1'700'000'000'000);
      EXPECT_EQ(back.headers, (std::vector<InputRecord::Header>{{header, value}}));
    }
  }
}

TEST(RecordJson, WhatPeopleWriteByHand) {
  InputRecord back;
  ASSERT_TRUE(
      read_json(R"({"value":{"a":[1,2]},"headers":{"x":"1","y":null},"partition":-1,"extra":true})", back));
  EXPECT_EQ(back.value, R"({"a":[1,2]})");
  EXPECT_EQ(back.headers, (std::vector<InputRecord::Header>{{"x", "1"}, {"y", std::nullopt}}));
  EXPECT_FALSE(back.partition);
  ASSERT_TRUE(read_json(R"({"key":12,"value":null})", back));
  EXPECT_EQ(back.key, "12");
  EXPECT_FALSE(back.value);
}

TEST(RecordJson, WhatIsNoRecordIsRefused) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"", "no JSON"},
      {"{", "no JSON"},
      {"[]", "a JSON object"},
      {"{}", "there is no \"value\""},
      {R"({"value":"a","value_base64":"YQ=="})", "exclude each other"},
      {R"({"value_base64":"*"})", "no base64"},
      {R"({"value":"a","headers":3})", "an array or an object"},
      {R"({"value":"a","headers":[3]})", "a header is"},
      {R"({"value":"a","headers":[{"value":"x"}]})", "needs a \"key\""},
      {R"({"value":"a","partition":-2})", "partition"},
      {R"({"value":"a","partition":1.5})", "partition"},
      {R"({"value":"a","timestamp":"now"})", "timestamp"},
  };
  for (const auto& [text, reason] : cases) {
    InputRecord back;
    const auto read = read_json(text, back);
    ASSERT_FALSE(read) << text;
    EXPECT_THAT(read.error().message, HasSubstr(reason)) << text;
  }
}

TEST(JsonScan, CutsValuesOutOfAStream) {
  ByteStream stream = ByteStream::of(" {\"a\":\"}\"}\n[1,[2]]\"x\\\"y\" 12 true");
  std::vector<std::string> found;
  while (skip_space(stream)) {
    const auto value = take_json(stream);
    ASSERT_TRUE(value);
    found.push_back(*value);
  }
  EXPECT_EQ(found, (std::vector<std::string>{"{\"a\":\"}\"}", "[1,[2]]", "\"x\\\"y\"", "12", "true"}));
  for (const char* cut : {"{\"a\"", "\"abc", "[1,2", "\"\\"}) {
    ByteStream broken = ByteStream::of(cut);
    EXPECT_FALSE(take_json(broken)) << cut;
  }
}

}  // namespace
}  // namespace tailwater::apps::cli
