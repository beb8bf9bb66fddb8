// Goal: files are read as Java reads them, and what cannot be read is named by file and line.
// Method: a table of texts with the result that java.util.Properties gives.
#include "shell/config/properties.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/prng.hpp"
#include "shell/disk/disk_test_support.hpp"

namespace tailwater::shell {

bool operator==(const Property& a, const Property& b) {
  return a.key == b.key && a.value == b.value && a.line == b.line;
}
void PrintTo(const Property& property, std::ostream* out) {
  *out << property.line << ": '" << property.key << "' = '" << property.value << "'";
}

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

std::vector<Property> parse(std::string_view text) {
  const auto properties = parse_properties(text, "f");
  EXPECT_TRUE(properties) << (properties ? "" : properties.error().message);
  return properties.value_or(std::vector<Property>{});
}

Property one(std::string_view text) {
  const auto properties = parse(text);
  EXPECT_EQ(properties.size(), 1U) << text;
  return properties.empty() ? Property{} : properties.front();
}

TEST(Properties, Separators) {
  for (const char* text :
       {"a=b", "a:b", "a b", "a\tb", "a\fb", "a = b", "a : b", "  a   b", "\t\f a=  b", "a   =   b"}) {
    EXPECT_EQ(one(text), (Property{"a", "b", 1})) << text;
  }
  EXPECT_EQ(one("a==b"), (Property{"a", "=b", 1}));
  EXPECT_EQ(one("a= =b"), (Property{"a", "=b", 1}));
  EXPECT_EQ(one("a : = b"), (Property{"a", "= b", 1}));
  EXPECT_EQ(one("listeners=PLAINTEXT://:9092"), (Property{"listeners", "PLAINTEXT://:9092", 1}));
}

TEST(Properties, EmptyValuesAndTrailingSpaces) {
  for (const char* text : {"a", "a=", "a:", "a ", "a = "})
    EXPECT_EQ(one(text), (Property{"a", "", 1})) << text;
  EXPECT_EQ(one("a=b \t"), (Property{"a", "b \t", 1}));
}

TEST(Properties, CommentsAndBlankLines) {
  EXPECT_THAT(parse("# a=b\n  ! c=d\n\n \t \n#continued? \\\ne=f\n"), ElementsAre(Property{"e", "f", 6}));
  EXPECT_EQ(one("a=b # no comment"), (Property{"a", "b # no comment", 1}));
  EXPECT_THAT(parse(""), IsEmpty());
  EXPECT_THAT(parse("\n\n"), IsEmpty());
}

TEST(Properties, LineEndings) {
  EXPECT_THAT(parse("a=1\r\nb=2\rc=3\nd=4"), ElementsAre(Property{"a", "1", 1}, Property{"b", "2", 2},
                                                         Property{"c", "3", 3}, Property{"d", "4", 4}));
}

TEST(Properties, Continuation) {
  EXPECT_EQ(one("a=b,\\\n   c,\\\r\n\td"), (Property{"a", "b,c,d", 1}));
  EXPECT_EQ(one("a=b\\\\"), (Property{"a", "b\\", 1})) << "two backslashes are one, and no continuation";
  EXPECT_EQ(one("a=b\\\\\\\nc"), (Property{"a", "b\\c", 1}));
  EXPECT_EQ(one("a=b\\\n#c"), (Property{"a", "b#c", 1})) << "a continuation is never a comment";
  EXPECT_EQ(one("a=b\\"), (Property{"a", "b", 1})) << "nothing to continue with";
  EXPECT_EQ(one("ke\\\n  y=v"), (Property{"key", "v", 1}));
  EXPECT_THAT(parse("a=b\\\n\nc=d"), ElementsAre(Property{"a", "b", 1}, Property{"c", "d", 3}));
  EXPECT_THAT(parse("a=1\\\n2\\\n3\nb=x"), ElementsAre(Property{"a", "123", 1}, Property{"b", "x", 4}));
}

TEST(Properties, Escapes) {
  EXPECT_EQ(one("a=x\\ty\\nz\\rw\\fv").value, "x\ty\nz\rw\fv");
  EXPECT_EQ(one("a=\\q\\\"\\=\\:\\#").value, "q\"=:#");
  EXPECT_EQ(one("a=\\  b").value, "  b") << "an escaped space is kept at the front";
  EXPECT_EQ(one("a\\=b\\:c\\ d=e"), (Property{"a=b:c d", "e", 1}));
  EXPECT_EQ(one("a=C:\\\\data").value, "C:\\data");
}

TEST(Properties, Unicode) {
  EXPECT_EQ(one("a=\\u00e4\\u00E4").value, "ää");
  EXPECT_EQ(one("a=\\u0041").value, "A");
  EXPECT_EQ(one("a=\\u20ac").value, "€");
  EXPECT_EQ(one("a=\\ud83d\\ude00").value, "😀");
  EXPECT_EQ(one("\xef\xbb\xbf"
                "a=ä")
                .value,
            "ä");
  EXPECT_EQ(one("\\u0061=b").key, "a");
}

TEST(Properties, WhatIsWrongIsNamedByLine) {
  const auto error_of = [](std::string_view text) {
    const auto properties = parse_properties(text, "/etc/s.properties");
    EXPECT_FALSE(properties) << text;
    return properties ? std::string() : properties.error().message;
  };
  for (const char* text :
       {"x=1\n\na=\\u12", "x=1\n\na=\\u12G4", "x=1\n\na=\\ud83d", "x=1\n\na=\\ud83d\\u0041",
        "x=1\n\na=\\ude00", "x=1\n\n\\u=1", "x=1\n\n=b", "x=1\n\n :b", "x=1\n\na=\xe4"}) {
    EXPECT_THAT(error_of(text), StartsWith("/etc/s.properties:3: ")) << text;
  }
  EXPECT_THAT(error_of("a=\\users"), HasSubstr("a backslash itself is written twice"));
  EXPECT_THAT(error_of("a=\xff"), HasSubstr("not UTF-8"));
  EXPECT_THAT(parse("# caf\xe9\na=b"), ElementsAre(Property{"a", "b", 2})) << "comments may be anything";
}

TEST(Properties, AnyBytesEndInAResult) {
  constexpr std::string_view alphabet = "ab=: \t\\\n\r#!u0\xe4\xc3\xa4\xf0";
  for (std::uint64_t seed = 0; seed < 20'000; ++seed) {
    Prng random(seed);
    std::string text;
    const std::uint64_t size = random.below(24);
    for (std::uint64_t i = 0; i < size; ++i) text.push_back(alphabet[random.below(alphabet.size())]);
    const auto properties = parse_properties(text, "f");
    if (!properties) continue;
    for (const Property& property : *properties) {
      ASSERT_FALSE(property.key.empty());
      ASSERT_GE(property.line, 1);
      ASSERT_LE(property.line, 1 + static_cast<int>(size));
    }
  }
}

TEST(Properties, Files) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/server.properties";
  EXPECT_EQ(read_properties(path).error().message, "cannot read " + path + ": No such file or directory");
  std::ofstream(path) << "a=b\n" << std::string(100'000, '#') << "\nc=d\n";
  EXPECT_THAT(*read_properties(path), ElementsAre(Property{"a", "b", 1}, Property{"c", "d", 3}));
  EXPECT_EQ(read_properties(folder.path()).error().message,
            "cannot read " + folder.path() + ": Is a directory");
  std::ofstream(path) << std::string((16 << 20) + 1, '#');
  EXPECT_EQ(read_properties(path).error().code, Errc::too_large);
}

}  // namespace
}  // namespace tailwater::shell
