// Goal: bytes survive the way into text and back, and what is no such text is refused.
// Method: known answers, all byte values, and all lengths around a group.
#include "apps/cli/text_encoding.hpp"

#include <gtest/gtest.h>

#include "apps/cli/unpack.hpp"

namespace tailwater::apps::cli {
namespace {

using namespace std::string_literals;

std::string hex(std::string_view bytes) {
  std::string out;
  append_hex(out, bytes);
  return out;
}

std::string base64(std::string_view bytes, Padding padding = Padding::with) {
  std::string out;
  append_base64(out, bytes, padding);
  return out;
}

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string unpacked(std::string_view pattern, std::string_view bytes) {
  std::string out;
  append_unpacked(out, pattern, bytes);
  return out;
}

TEST(TextEncoding, HexAndBase64RoundTripEveryByteAtEveryLength) {
  std::string bytes;
  for (int length = 0; length < 260; ++length) {
    EXPECT_EQ(from_hex(hex(bytes)), bytes);
    for (const Padding padding : {Padding::with, Padding::without}) {
      EXPECT_EQ(from_base64(base64(bytes, padding)), bytes);
      EXPECT_EQ(base64(bytes, padding).size(), base64_size(bytes.size(), padding));
    }
    bytes += static_cast<char>(length * 7);
  }
}

TEST(TextEncoding, KnownAnswers) {
  EXPECT_EQ(hex("\x00\xff\x1a"s), "00ff1a");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("fo", Padding::without), "Zm8");
}

TEST(TextEncoding, WhatIsNoHexOrBase64IsRefused) {
  for (const char* text : {"0", "0g", "zz", "00 "}) EXPECT_FALSE(from_hex(text)) << text;
  for (const char* text : {"Z", "Zg=", "Zg===", "Z===", "Zm9v*", "Zh==", "=", "Zg==Zg=="}) {
    EXPECT_FALSE(from_base64(text)) << text;
  }
}

TEST(TextEncoding, Utf8IsCheckedStrictly) {
  for (const std::string& good :
       {""s, "a"s, "\0"s, "\xc3\xa9"s, "\xe2\x82\xac"s, "\xf0\x9f\x99\x82"s, "\xf4\x8f\xbf\xbf"s}) {
    EXPECT_TRUE(is_utf8(good)) << hex(good);
  }
  for (const std::string& bad :
       {"\x80"s, "\xc3"s, "\xc0\x80"s, "\xc1\xbf"s, "\xe0\x9f\xbf"s, "\xed\xa0\x80"s, "\xf0\x8f\xbf\xbf"s,
        "\xf4\x90\x80\x80"s, "\xf5\x80\x80\x80"s, "\xe2\x82"s, "a\xff"s}) {
    EXPECT_FALSE(is_utf8(bad)) << hex(bad);
  }
}

TEST(TextEncoding, JsonStringsEscapeWhatMustBe) {
  EXPECT_EQ(json_string("plain \xc3\xa9"), "\"plain \xc3\xa9\"");
  EXPECT_EQ(json_string("a\"b\\c\n\r\t\x01\x7f\0"s + "z"), R"("a\"b\\c\n\r\t\u0001\u007f\u0000z")");
}

TEST(TextEncoding, TablesShowControlCharactersInsteadOfObeyingThem) {
  EXPECT_EQ(printable("ok \xc3\xa9"), "ok \xc3\xa9");
  EXPECT_EQ(printable("\x1b[31mred\n"), "\\x1b[31mred\\x0a");
  EXPECT_EQ(printable("\xff"), "\\xff");
  EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b");  // a control character beyond ASCII
  EXPECT_EQ(display_width("\xc3\xa9t\xc3\xa9"), 3U);
}

TEST(TextEncoding, Escapes) {
  std::string_view rest = "x41z";
  EXPECT_EQ(take_escape(rest), 'A');
  EXPECT_EQ(rest, "z");
  for (const std::string_view wrong : {"", "q", "x4", "xzz"}) {
    std::string_view text = wrong;
    EXPECT_FALSE(take_escape(text)) << wrong;
  }
}

TEST(Unpack, NumbersOfBothSignsAndOrders) {
  EXPECT_EQ(unpacked(">h", "\xff\xfe"), "-2");
  EXPECT_EQ(unpacked(">H", "\xff\xfe"), "65534");
  EXPECT_EQ(unpacked("<i", "\x01\x00\x00\x00"s), "1");
  EXPECT_EQ(unpacked(">q", "\xff\xff\xff\xff\xff\xff\xff\xff"), "-1");
  EXPECT_EQ(unpacked("bB.c", "\x80\x80_x"), "-128 128 x");
  EXPECT_EQ(unpacked("Bs", "\x05name"), "5 name");
}

TEST(Unpack, BytesThatDoNotFitAreSaid) {
  EXPECT_EQ(unpacked("i", "abc"), "(3 bytes are too few)");
  EXPECT_EQ(unpacked("b$", "\x01\x02"), "1 (1 bytes more)");
  EXPECT_EQ(unpacked("b$", "\x01"), "1");
  EXPECT_FALSE(check_unpack("z"));
  EXPECT_FALSE(check_unpack("$b"));
  EXPECT_TRUE(check_unpack("<bBhHiIqQc.s$"));
}

}  // namespace
}  // namespace tailwater::apps::cli
